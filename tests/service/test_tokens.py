from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from maxpool.errors import SecretError
from maxpool.ports import Destination, Secret
from maxpool.service.tokens import Tokens

HERE = Destination(base_url="https://upstream.example")


class Source:
    """Secrets that change, and how often somebody asked."""

    def __init__(self, **values: str) -> None:
        self.values, self.asked = values, 0
        self.lock = threading.Lock()

    def resolve(self, reference: str) -> Secret:
        with self.lock:
            self.asked += 1
        time.sleep(0.01)
        if reference not in self.values:
            raise SecretError(f"{reference} is not set", "Set it.")
        return Secret(self.values[reference])


async def test_many_needs_at_once_resolve_a_reference_once():
    source = Source(ref="sk-ant-api03-x")
    tokens = Tokens(source, {"a": "ref"})
    found = await asyncio.gather(*(tokens.bearer("a", HERE) for _ in range(20)))
    assert source.asked == 1
    assert {c.header for c in found} == {(b"x-api-key", b"sk-ant-api03-x")}


async def test_an_oauth_bearer_says_so_and_no_reference_sends_nothing():
    tokens = Tokens(Source(ref="sk-ant-oat01-x"), {"a": "ref", "b": ""})
    assert (await tokens.bearer("a", HERE)).oauth
    assert (await tokens.bearer("b", HERE)).header is None
    with pytest.raises(SecretError):
        await tokens.bearer("unknown", HERE)


async def test_a_rotated_secret_is_found_and_the_same_one_is_not_tried_again():
    source = Source(ref="old")
    tokens = Tokens(source, {"a": "ref"})
    refused = await tokens.bearer("a", HERE)
    assert not await tokens.renew("a", HERE, refused)
    source.values["ref"] = "new"
    assert await tokens.renew("a", HERE, refused)


async def test_who_comes_after_a_renewal_uses_it_and_asks_nobody():
    source = Source(ref="old")
    tokens = Tokens(source, {"a": "ref"})
    refused = await tokens.bearer("a", HERE)
    source.values["ref"] = "new"
    assert all(await asyncio.gather(*(tokens.renew("a", HERE, refused) for _ in range(5))))
    assert source.asked == 2


async def test_a_secret_that_has_vanished_is_no_renewal_and_no_exception():
    source = Source(ref="old")
    tokens = Tokens(source, {"a": "ref"})
    refused = await tokens.bearer("a", HERE)
    source.values.clear()
    assert not await tokens.renew("a", HERE, refused)
    assert not await tokens.renew("a", HERE, None)


async def test_a_new_reference_forgets_the_old_credential_even_one_on_its_way():
    source = Source(one="1", two="2")
    tokens = Tokens(source, {"a": "one"})
    coming = asyncio.ensure_future(tokens.bearer("a", HERE))
    await asyncio.sleep(0.002)
    tokens.refer({"a": "two"})
    await coming
    assert (await tokens.bearer("a", HERE)).header == (b"x-api-key", b"2")


async def test_a_subscriptions_token_is_only_for_subscriptions():
    value = "sk-ant-oat01-0123456789"
    tokens = Tokens(Source(ref=value), {"plan": "ref", "key": "ref"}, frozenset({"plan"}))
    assert (await tokens.bearer("plan", HERE)).oauth
    with pytest.raises(SecretError, match="subscription"):
        await tokens.bearer("key", HERE)


async def test_a_subscriptions_token_stays_one_behind_the_word_bearer():
    tokens = Tokens(Source(ref="Bearer sk-ant-oat01-0123456789"), {"key": "ref"}, frozenset())
    with pytest.raises(SecretError, match="subscription"):
        await tokens.bearer("key", replace(HERE, auth_header="authorization"))
