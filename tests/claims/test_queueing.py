"""Who is served first when requests wait, over the real proxy."""

from __future__ import annotations

import asyncio

from maxpool.sim.faults import HangFault
from tests.rig import Rig, Wire, ask, key, request_bytes, rig, until

ONE_SLOT = {"slots_per_key": 1}
KEYS = [
    {"name": "person", "key": "env:person"},
    {"name": "batch", "key": "env:batch", "priority": 10},
]


async def hang(it: Rig) -> Wire:
    """A request that takes the only slot until it hangs up."""
    it.sim.inject(HangFault(), "a")
    client = await it.connect()
    await client.send(request_bytes())
    await until(lambda: it.sim.truth("a").in_flight)
    return client


async def wait_in_line(it: Rig, number: int, **headers: str) -> asyncio.Task[float]:
    """A request that waits; its result is when it was answered."""

    async def served() -> float:
        assert (await it.post(ask(f"request {number}"), headers=headers)).whole
        return asyncio.get_running_loop().time()

    task = asyncio.ensure_future(served())
    await until(lambda: len(it.proxy.pool.queue) == number)
    return task


async def test_a_later_request_of_higher_urgency_is_served_first():
    async with rig(key("a"), pool=ONE_SLOT) as it:
        first = await hang(it)
        late = await wait_in_line(it, 1, **{"x-maxpool-priority": "5"})
        soon = await wait_in_line(it, 2)
        shown = (await it.status())["queue"]
        assert [w["position"] for w in shown] == [1, 2]
        first.reset()
        assert await soon < await late
        await until(it.idle)


async def test_a_client_key_claims_no_more_urgency_than_it_may():  # X9
    async with rig(key("a"), key("person"), key("batch"), pool=ONE_SLOT, client_keys=KEYS) as it:
        assert it.proxy.pool.settings.client_keys == 2
        for name in ("person", "batch"):
            state = next(s for s in it.proxy.pool.states.values() if s.account.name == name)
            state.enabled = False
            it.proxy.pool.index.renew(state.account.id, 0.0)
        first = await hang(it)
        secret = "sk-ant-api03-secret-of-{}-0123456789"
        wanted = {"x-maxpool-priority": "0"}
        batch = await wait_in_line(it, 1, **wanted, **{"x-maxpool-key": secret.format("batch")})
        person = await wait_in_line(it, 2, **wanted, **{"x-maxpool-key": secret.format("person")})
        levels = [w.level for w in it.proxy.pool.queue.waiters.values()]
        assert levels == [10, 0]
        first.reset()
        assert await person < await batch
