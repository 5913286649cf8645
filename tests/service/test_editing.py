"""The config file changed by the admin API: written first, then followed; else nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from maxpool.errors import ConfigError, ConfigProblem, MaxpoolError, RequestError
from maxpool.ports import Secret
from maxpool.service.editing import Editing, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping


class Edits:
    """A config file in memory that may refuse."""

    def __init__(self, trouble: MaxpoolError | None = None) -> None:
        self.trouble = trouble
        self.done: list[str] = []

    def _do(self, what: str) -> str:
        if self.trouble is not None:
            raise self.trouble
        self.done.append(what)
        return what

    def remove_account(self, name: str, *, keep_secret: bool) -> str:
        return self._do(f"remove {name} {keep_secret}")

    def add_key(self, name: str, priority: int, limits: Mapping[str, object]) -> Secret:
        return Secret(self._do(f"add {name} {priority}"))

    def revoke_key(self, name: str) -> None:
        self._do(f"revoke {name}")

    def reload(self) -> None:
        self.done.append("reload")


async def test_an_edit_is_written_before_the_server_follows():
    file = Edits()
    editing = Editing(file, file.reload)
    assert await editing.remove_account("a", keep_secret=True) == "remove a True"
    assert (await editing.add_key("k", 3)).reveal() == "add k 3"
    await editing.revoke_key("k")
    assert file.done == ["remove a True", "reload", "add k 3", "reload", "revoke k", "reload"]


async def test_what_cannot_be_written_is_a_409_with_the_command_and_changes_nothing():
    file = Edits(MaxpoolError("cannot change c.toml", "Check who owns it"))
    with pytest.raises(RequestError) as caught:
        await Editing(file, file.reload).remove_account("max 1")
    assert caught.value.status == 409
    assert str(caught.value) == (
        "cannot change c.toml. Check who owns it. The command that does the same: "
        "maxpool accounts remove 'max 1'"
    )
    assert file.done == []


def test_every_problem_of_a_config_is_in_the_words():
    problems = [
        ConfigProblem(path="c", line=line, text="", message=f"wrong {line}") for line in (1, 2)
    ]
    assert in_words(ConfigError(problems)) == "The config file was not changed: wrong 1; wrong 2."
