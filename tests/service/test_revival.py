from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from maxpool.core.lease import CredentialChange
from maxpool.errors import SecretError
from maxpool.ports import Secret
from maxpool.sim import faults
from tests.rig import key, rig

if TYPE_CHECKING:
    from tests.rig import Rig


class Changing:
    """A secret that its owner changes; None: it is gone."""

    def __init__(self, value: str | None) -> None:
        self.value = value

    def resolve(self, reference: str) -> Secret:
        if self.value is None:
            raise SecretError(f"{reference} is empty", "Fill it.")
        return Secret(self.value)


def in_file(it: Rig, source: Changing) -> str:
    """Let the one account's secret come from a file; its id."""
    (account_id,) = it.proxy.destinations
    it.proxy.tokens.refer({account_id: "file:/key"})
    it.proxy.tokens.source = source
    return account_id


async def test_an_account_without_a_secret_is_locked_named_and_comes_back_with_one():
    async with rig(key("a")) as it:
        source = Changing(None)
        in_file(it, source)
        await it.proxy.revival.look()
        assert (await it.state("a"))["state"] == "locked_out"
        assert "'a' has no secret" in (await it.status())["notices"][0]
        source.value = key("a").secret
        await it.proxy.revival.look_at_files()
        assert (await it.status())["notices"] == []
        assert (await it.post()).whole


async def test_a_refused_secret_stays_refused_until_there_is_another():
    async with rig(key("a")) as it:
        source = Changing("sk-ant-api03-old")
        in_file(it, source)
        assert (await it.post()).status == 502
        await it.proxy.revival.look_at_files()
        assert (await it.state("a"))["state"] == "locked_out"
        source.value = key("a").secret
        await it.proxy.revival.look_at_files()
        assert (await it.post()).whole


async def test_only_files_are_looked_at_again_and_again():
    async with rig(key("a")) as it:
        account_id = in_file(it, source := Changing("sk-ant-api03-old"))
        it.proxy.tokens.refer({account_id: "env:KEY"})
        assert (await it.post()).status == 502
        source.value = key("a").secret
        await it.proxy.revival.look_at_files()
        assert (await it.state("a"))["state"] == "locked_out"
        await it.proxy.revival.look()
        assert (await it.state("a"))["state"] == "ready"


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_an_account_that_moved_is_not_revived_by_a_new_secret(when):
    async with rig(key("a")) as it:
        source = Changing("sk-ant-api03-old")
        account_id = in_file(it, source)
        it.sim.inject(faults.unauthorized(), "a")
        assert (await it.post()).status == 502
        source.value = key("a").secret

        def move() -> None:
            it.proxy.origins.bound[account_id] = "https://elsewhere.example"
            it.proxy.bind_origins()

        if when == "before":
            move()
            await it.proxy.revival.look()
        else:
            bearer = it.proxy.tokens.bearer

            async def slow(*given):
                found = await bearer(*given)
                move()
                return found

            it.proxy.revival.tokens = _With(it.proxy.tokens, slow)  # type: ignore[assignment]
            await it.proxy.revival.look()
        assert (await it.state("a"))["state"] == "locked_out"
        assert not [s for s in it.sim.requests if s.header("x-api-key") == source.value]


class _With:
    """The tokens, with a slower `bearer`."""

    def __init__(self, tokens, bearer) -> None:
        self._tokens, self.bearer = tokens, bearer

    def __getattr__(self, name: str):
        return getattr(self._tokens, name)


async def test_an_account_that_is_gone_is_no_longer_named():
    async with rig(key("a"), key("b")) as it:
        account_id = next(iter(it.proxy.destinations))
        it.proxy.revival.missing[account_id] = "text"
        it.proxy.pool.remove(account_id, it.proxy.clock.now())
        await it.proxy.revival.look()
        it.proxy.pool.credential(account_id, CredentialChange("logged_in"), 0.0)
        assert not it.proxy.revival.missing
