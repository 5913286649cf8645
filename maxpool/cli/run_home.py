"""Which home a session starts in: where its conversation is kept, else the one the pool prefers.

The pool weighs homes by the same costs as everything else; a running server is asked, without one the
same question is put to what rests on disk.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from maxpool.cli import claude_sessions
from maxpool.errors import MaxpoolError
from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maxpool.config.homes import Home
    from maxpool.config.peek import Peek


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The home to start in and why, or (`home` None) what every home waits for."""

    home: Home | None = None
    why: str = ""
    waits: list[str] = field(default_factory=list)


def choose(
    found: Peek, arguments: Sequence[str], named: str | None, told: Mapping[str, Any] | None
) -> Chosen:
    """The home for these arguments of `claude`.

    `named`: the only one its user wants. `told`: what the pool says (see `asked`), None where there is
    nothing to choose. Raises MaxpoolError where no home can be used at all.
    """
    usable = candidates(found, named)
    if named is not None:
        return Chosen(home=usable[0], why="as asked")
    kept = _keeper(usable, arguments)
    if kept is not None:
        return Chosen(home=kept, why="its conversation is kept there")
    if len(usable) == 1 or told is None:
        return Chosen(home=usable[0], why="the only one signed in" if len(usable) == 1 else "")
    by_id = {home.id: home for home in usable}
    for candidate in told["candidates"]:
        home = by_id.get(candidate["account_id"])
        if home is not None:
            return Chosen(home=home, why=_use(told, home.id))
    return Chosen(waits=_waits(told, by_id))


def candidates(found: Peek, named: str | None) -> list[Home]:
    """The homes that can be started in; raises MaxpoolError with the command that makes one."""
    if not found.homes:
        raise MaxpoolError("there is no home account", "Make one: maxpool login NAME --home")
    homes = [home for home in found.homes if named in (None, home.name, home.id)]
    if not homes:
        near = difflib.get_close_matches(str(named), [home.name for home in found.homes], n=1)
        meant = near[0] if near else ", ".join(home.name for home in found.homes)
        raise MaxpoolError(f"there is no home account {named}", f"Did you mean: {meant}")
    enabled = [home for home in homes if home.enabled]
    if not enabled:
        name = homes[0].name
        raise MaxpoolError(
            f"{'the home' if len(homes) == 1 else 'every home'} is disabled",
            f"Enable one: maxpool accounts enable {quote(name)}",
        )
    signed_in = [home for home in enabled if home.signed_in]
    if not signed_in:
        name = enabled[0].name
        raise MaxpoolError(
            f"nobody is signed in in {name if len(enabled) == 1 else 'any home'}",
            f"Sign in: maxpool login {quote(name)} --home",
        )
    return signed_in


def _keeper(homes: Sequence[Home], arguments: Sequence[str]) -> Home | None:
    """The home that keeps the conversation these arguments go on with."""
    wanted = claude_sessions.goes_on(arguments)
    if wanted is None:
        return None
    if wanted.session is not None:
        kept = [h for h in homes if claude_sessions.keeps(h.config_dir, wanted.session)]
        if kept:
            return kept[0]
    here = Path.cwd()
    latest = [(claude_sessions.latest_at(home.config_dir, here), home) for home in homes]
    known = [(at, home) for at, home in latest if at is not None]
    return max(known, key=lambda one: one[0])[1] if known else None


def _use(told: Mapping[str, Any], account_id: str) -> str:
    found = next(c for c in told["candidates"] if c["account_id"] == account_id)
    used = found.get("week_used")
    return "its quota is unknown" if used is None else f"{used * 100:.0f} % of its week used"


def _waits(told: Mapping[str, Any], homes: Mapping[str, Home]) -> list[str]:
    """What each home waits for, in words."""
    lines = []
    for one in told["unavailable"]:
        home = homes.get(one["account_id"])
        if home is not None:
            left = "" if one["until"] is None else f", for {duration(one['until'] - told['at'])}"
            lines.append(f"{home.name}: {one['reason'].replace('_', ' ')}{left}")
    return lines


def asked(config_file: Path | None, model: str, now: float) -> dict[str, Any]:
    """What the pool says to a session with that model: the running server's, else what rests on disk."""
    from maxpool.cli.control import control

    try:
        return control(None, config_file).get(
            "/explain", model=model, program="claude-code", home="yes"
        )
    except MaxpoolError:  # none runs, or it cannot be asked: its files say nearly the same
        from maxpool.app import homes
        from maxpool.core.lease import LeaseRequest

        question = LeaseRequest(model, program="claude-code", home=True, arrived_at=now)
        return homes.choice(config_file, question)
