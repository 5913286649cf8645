"""The home a session starts in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.cli.run_home import choose
from maxpool.config.homes import Home
from maxpool.config.peek import Peek
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = 1_800_000_000.0
ID = "0b3c1e52-7a11-4c6e-9a5b-111111111111"


def home(folder: Path, name: str, *, signed_in: bool = True, enabled: bool = True) -> Home:
    where = folder / name
    where.mkdir()
    if signed_in:
        (where / ".credentials.json").write_text("{}")
    return Home(id=f"id-{name}", name=name, config_dir=where, enabled=enabled)


def told(*names: str, closed: dict[str, float | None] | None = None) -> dict[str, Any]:
    waits = [
        {"account_id": f"id-{name}", "reason": "quota", "until": until}
        for name, until in (closed or {}).items()
    ]
    candidates = [{"account_id": f"id-{name}", "week_used": 0.25} for name in names]
    return {"at": NOW, "candidates": candidates, "unavailable": waits}


def chosen(homes: Sequence[Home], *arguments: str, **given: Any) -> str | None:
    found = choose(Peek(homes=tuple(homes)), arguments, given.get("named"), given.get("told"))
    return None if found.home is None else found.home.name


def keep(where: Home, session: str) -> None:
    slug = "".join(char if char.isalnum() else "-" for char in str(Path.cwd()))
    path = where.config_dir / "projects" / slug / f"{session}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("{}")


def test_the_pools_first_choice_that_is_signed_in_is_taken(tmp_path: Path):
    homes = [home(tmp_path, "a"), home(tmp_path, "b"), home(tmp_path, "c", signed_in=False)]
    assert chosen(homes, told=told("c", "b", "a")) == "b"


def test_a_conversation_goes_on_where_it_is_kept(tmp_path: Path):
    homes = [home(tmp_path, "a"), home(tmp_path, "b")]
    keep(homes[1], ID)
    assert chosen(homes, "--resume", ID, told=told("a", "b")) == "b"
    assert chosen(homes, "--continue", told=told("a", "b")) == "b"
    assert chosen(homes, "-p", "new", told=told("a", "b")) == "a"


def test_a_conversation_that_nobody_keeps_is_a_new_one(tmp_path: Path):
    homes = [home(tmp_path, "a"), home(tmp_path, "b")]
    assert chosen(homes, "--resume", ID, told=told("b", "a")) == "b"


def test_the_home_its_user_names_is_taken_whatever_its_quota(tmp_path: Path):
    homes = [home(tmp_path, "a"), home(tmp_path, "b")]
    assert chosen(homes, named="b") == chosen(homes, named="id-b", told=told("a")) == "b"


def test_when_no_home_can_serve_each_says_what_it_waits_for(tmp_path: Path):
    homes = [home(tmp_path, "a"), home(tmp_path, "b")]
    closed = told(closed={"a": NOW + 8640, "b": None})
    found = choose(Peek(homes=tuple(homes)), [], None, closed)
    assert (found.home, found.waits) == (None, ["a: quota, for 2 h 24 min", "b: quota"])


@pytest.mark.parametrize(
    ("state", "named", "message", "hint"),
    [
        (None, None, "there is no home account", "maxpool login NAME --home"),
        ({}, "aa", "there is no home account aa", "Did you mean: a"),
        ({"signed_in": False}, None, "nobody is signed in in a", "maxpool login a --home"),
        ({"enabled": False}, None, "the home is disabled", "maxpool accounts enable a"),
    ],
)
def test_without_a_usable_home_the_error_says_what_to_do(
    state: dict[str, bool] | None, named: str | None, message: str, hint: str, tmp_path: Path
):
    homes = [] if state is None else [home(tmp_path, "a", **state)]
    with pytest.raises(MaxpoolError) as caught:
        chosen(homes, named=named)
    assert message in caught.value.message
    assert hint in caught.value.hint
