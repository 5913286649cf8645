"""Which conversation a Claude Code command line goes on with, and in which folder that is kept.

Facts: a conversation is `projects/<folder>/<session id>.jsonl` in the client's own folder, where
`<folder>` is the working folder with everything but letters and digits as `-`; `--resume` takes an id,
or nothing for a list to choose from, and `--continue` takes the folder's latest. Only names and times
of those files are looked at. Standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEFAULT_MODEL = "claude-sonnet-5-5"
"""What is asked about where the command line names no model: any of the usual ones costs alike."""

_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_LONGEST_SLUG = 200


@dataclass(frozen=True, slots=True)
class GoesOn:
    """The conversation to go on with; `session` None where it is the folder's latest, or a choice."""

    session: str | None = None


def goes_on(arguments: Sequence[str]) -> GoesOn | None:
    """Which conversation these arguments of `claude` go on with; None for a new one."""
    for flag, value in _options(arguments):
        if flag in ("--continue", "-c"):
            return GoesOn()
        if flag in ("--resume", "-r"):
            return GoesOn(value if value is not None and _ID.fullmatch(value) else None)
    return None


def model(arguments: Sequence[str], usual: str | None) -> str:
    """The model these arguments name, else the usual one ($ANTHROPIC_MODEL)."""
    named = [value for flag, value in _options(arguments) if flag == "--model" and value]
    return (named[-1] if named else usual) or DEFAULT_MODEL


def _options(arguments: Sequence[str]) -> list[tuple[str, str | None]]:
    """The options before a `--`, each with the word that may be its value."""
    found: list[tuple[str, str | None]] = []
    for word, follows in zip(arguments, [*arguments, None][1:], strict=True):
        if word == "--":
            break
        flag, equals, value = word.partition("=")
        if flag.startswith("-"):
            after = follows if follows is not None and not follows.startswith("-") else None
            found.append((flag, value if equals else after))
    return found


def keeps(client_folder: Path, session: str) -> bool:
    """Whether that conversation is kept in the client's folder."""
    return any(True for _ in client_folder.glob(f"projects/*/{session}.jsonl"))


def latest_at(client_folder: Path, working: Path) -> float | None:
    """When the working folder's latest conversation there was last written; None without any."""
    slug = re.sub(r"[^A-Za-z0-9]", "-", str(working))
    pattern = slug if len(slug) <= _LONGEST_SLUG else f"{slug[:_LONGEST_SLUG]}*"
    return max(map(_written, client_folder.glob(f"projects/{pattern}/*.jsonl")), default=None)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # the client tidied it away meanwhile
        return 0.0
