from __future__ import annotations

import asyncio

from maxpool.sim import faults
from tests.adapters.peers import peer, replying
from tests.rig import CLAUDE_CODE, key, plan, rig, vendor

CHAT = {"format": "openai-chat"}


def listed(got) -> list[str]:
    """What accounts offer; the names of sets stand in the list besides."""
    ids = [model["id"] for model in got.json["data"]]
    return [name for name in ids if name.partition(":")[0] != "maxpool"]


async def test_the_list_is_the_union_of_what_accounts_map_and_what_their_upstream_lists():
    entries = {"b": {"models": {"my-model": "x", "claude-*": "y"}}}
    async with rig(key("a", models=("m-1", "m-2")), key("b"), entries=entries) as it:
        assert listed(await it.get("/v1/models")) == ["m-1", "m-2", "my-model"]


async def test_an_upstream_is_asked_for_its_list_with_the_accounts_own_headers():
    entries = {"a": {"headers": {"x-team": "blue"}}}
    async with rig(key("a"), entries=entries) as it:
        assert listed(await it.get("/v1/models"))
        assert it.sim.requests[-1].header("x-team") == "blue"


async def test_an_upstream_is_asked_once_in_a_while():
    async with rig() as it:
        for _ in range(3):
            assert listed(await it.get("/v1/models"))
        assert sum(seen.path == "/v1/models" for seen in it.sim.requests) == 1


async def test_an_upstream_that_fails_only_means_a_shorter_list():
    for fault in (faults.status(500), faults.CutFault(), faults.GarbageFault(kind="html")):
        async with rig() as it:
            it.sim.inject(fault, None, times=None, when=lambda _: True)
            got = await it.get("/v1/models")
            assert (got.status, listed(got)) == (200, [])


async def test_upstreams_are_asked_at_once_so_that_slow_ones_do_not_add_up():
    def app_of(theirs):
        async def app(scope, receive, send):
            if scope["path"] == "/v1/models":
                await both.wait()  # for the other one: one after another, none would be in time
            await theirs(scope, receive, send)

        return app

    both = asyncio.Barrier(2)
    people = (key("a", models=("m-1",)), vendor("b", models=("m-2",)))
    async with rig(*people, entries={"b": CHAT}, tap=app_of) as it:
        assert listed(await it.get("/v1/models")) == ["m-1", "m-2"]


async def test_a_list_without_an_end_is_not_read_to_it():
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n"
    async with (
        peer(replying(head + b"x" * 2_000_000)) as one,
        rig(key("a"), entries={"a": {"base_url": one.url}}) as it,
    ):
        assert listed(await it.get("/v1/models")) == []


async def test_a_program_is_offered_only_what_it_may_use():
    entries = {"p": {"models": {"for-claude-code": "m"}}, "k": {"models": {"for-all": "m"}}}
    async with rig(plan("p"), key("k"), entries=entries) as it:
        assert listed(await it.get("/v1/models")) == ["for-all"]
        assert listed(await it.get("/v1/models", CLAUDE_CODE)) == ["for-all", "for-claude-code"]


async def test_a_profile_is_offered_what_its_accounts_serve():
    entries = {
        "a": {"models": {"for-batches": "m"}, "profiles": ["batch"]},
        "b": {"models": {"for-all": "m"}},
    }
    async with rig(key("a"), key("b"), entries=entries) as it:
        assert listed(await it.get("/v1/models")) == ["for-all"]
        both = ["for-all", "for-batches"]
        assert listed(await it.get("/v1/models", {"x-maxpool-profile": "batch"})) == both
