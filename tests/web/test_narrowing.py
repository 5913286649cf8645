"""`x-maxpool-account` restricts a request to one account, and never to more than it had."""

from __future__ import annotations

from typing import Any

import pytest

from maxpool.errors import RequestError
from maxpool.web.narrowing import narrowed
from tests.make import NOW, account, ask, key, pool
from tests.rig import rig

ACCOUNTS = pool(account("a-1", name="max"), key("k"), account("h", name="laptop", kind="home"))


def only(name: str | None, **given: Any) -> str | None:
    fields = {} if name is None else {"x-maxpool-account": name}
    return narrowed(ask(**given), fields, ACCOUNTS).owner


def test_without_the_header_every_account_may_serve():
    assert only(None) is None


@pytest.mark.parametrize("wanted", ["max", "a-1"])
def test_an_account_is_named_by_its_name_or_its_id(wanted: str):
    assert only(wanted) == "a-1"


def test_a_name_that_nobody_has_is_refused_rather_than_ignored():  # X9
    with pytest.raises(RequestError, match="No account is called 'mix'") as caught:
        only("mix")
    assert caught.value.status == 404


def test_a_name_that_two_accounts_share_is_refused():
    twins = pool(account("one", name="max"), account("two", name="max"))
    with pytest.raises(RequestError, match="Several accounts"):
        narrowed(ask(), {"x-maxpool-account": "max"}, twins)


def test_a_home_is_refused_with_the_command_that_uses_it():
    with pytest.raises(RequestError, match="maxpool run --home --account laptop"):
        only("laptop")


def test_naming_an_account_does_not_open_it_to_other_programs():  # X9
    closed = pool(account("max", serves=frozenset({"claude-code"})), key("k"))
    asked = narrowed(ask(program="curl"), {"x-maxpool-account": "max"}, closed)
    assert "program" in closed.acquire(asked, NOW).counts  # type: ignore[union-attr]


async def test_a_request_goes_to_the_account_it_names_and_to_no_other():  # X9
    async with rig() as it:
        named = {"x-maxpool-account": "c"}
        assert [(await it.post(headers=named)).account for _ in range(3)] == ["c", "c", "c"]
        await it.admin("POST", "/accounts/c/disable")
        refused = await it.post(headers=named)
        assert refused.status in (429, 502, 503)
        assert (await it.post()).account == "a"


async def test_an_account_that_nobody_has_is_an_error_of_the_request():
    async with rig() as it:
        got = await it.post(headers={"x-maxpool-account": "d"})
        assert got.error == (404, "not_found_error")
        assert not it.sim.requests


async def test_the_name_never_leaves_the_machine():  # R22
    async with rig() as it:
        await it.post(headers={"x-maxpool-account": "b"})
        sent = it.sim.requests[-1].headers
        assert not [name for name, _ in sent if name.lower().startswith(b"x-maxpool")]
