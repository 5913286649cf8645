"""Plays one line of the fault matrix on a real server, and says how it really ended."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from maxpool import LeaseRequest
from maxpool.core.eligibility import Context, Eligible, account_state, check
from maxpool.wire.sse import Scanner
from tests.faults.lines import RESET_S, End, Fate
from tests.faults.tap import Tap
from tests.rig import CLAUDE_CODE, MODEL, ask, key, rig, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from maxpool.config.fields import HttpClient
    from maxpool.core.state import AccountState
    from maxpool.sim.plans import SimAccount
    from tests.faults.lines import Form, Line
    from tests.rig import Got, Rig

NEAR_S = 1.5
"""How far the rest of a pause may be from the whole of it: the time a test takes."""


ASKED = LeaseRequest(MODEL, program="claude-code")


async def play(
    line: Line,
    form: Form,
    kind: Callable[[str], SimAccount] = key,
    client: HttpClient = "builtin",
) -> End:
    """How a request of that form really ends with three accounts of that kind, asked by that client.

    Raises AssertionError when anything was left behind.
    """
    tap, expected = Tap(), line.end_of(form)
    async with rig(*map(kind, "abc"), tap=tap, **sections_of(line, client)) as it:
        await it.status()  # what a connection keeps beside it is there before anything is counted
        tasks = len(asyncio.all_tasks())
        for hit in line.hits:
            it.sim.inject(hit.fault, hit.account, hit.times)
        got = await it.post(ask(stream=form == "stream", **line.asks), headers=CLAUDE_CODE)
        end = End(
            sees=seen(got),
            asked="".join(str(name) for name in it.asked()),
            passes=expected.passes and got.body == tap.last.sent,
            fate=fate(it, expected.fate),
        )
        await nothing_left(it, tasks)
        others_as_before(it, line)
        return end


def sections_of(line: Line, client: HttpClient) -> dict[str, Any]:
    """The config of a line, in which `c` stands behind `b`."""
    given = {name: line.sections.get(name, {}) for name in ("entries", "upstream")}
    return {
        **line.sections,
        "entries": {**given["entries"], "c": {"priority": 2, **given["entries"].get("c", {})}},
        "upstream": {**given["upstream"], "client": client},
    }


def seen(got: Got) -> str:
    """What the client saw, in the words of `End.sees`."""
    if got.cut:
        return "cut"
    if got.whole:
        return "answer"
    if got.fields["content-type"].startswith("text/event-stream"):
        last = Scanner().feed(got.body)[-1]
        return f"event {json.loads(last.data)['error']['type']}"
    return "{} {}".format(*got.error)


def fate(it: Rig, expected: Fate) -> Fate:
    """What became of `a`; a pause that comes near the expected one is told as that."""
    pool, now = it.proxy.pool, it.proxy.clock.now()
    state, ctx = named(it, "a"), Context(pool.settings)
    failures = state.health.failures
    block = check(state, ASKED, now, ctx)
    if isinstance(block, Eligible):
        return Fate(failures=failures)
    left = None if block.until is None else block.until - now
    whole = RESET_S if left is not None and expected.ends else expected.for_s
    near = (left is None) == (whole is None) and abs((left or 0) - (whole or 0)) < NEAR_S
    return Fate(
        reason=block.reason.value,
        for_s=expected.for_s if near else left,
        ends=expected.ends if near else "",
        model=account_state(state, now, ctx) is None,
        failures=failures,
    )


def named(it: Rig, name: str) -> AccountState:
    """What the pool knows of the account of that name."""
    return next(s for s in it.proxy.pool.states.values() if s.account.name == name)


async def nothing_left(it: Rig, tasks: int) -> None:
    """No lease, waiter or beat, no task, no request upstream, nothing that went wrong inside."""
    await until(it.idle)
    await until(lambda: not any(it.sim.truth(name).in_flight for name in "abc"))
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert it.proxy.stats.internal_errors == 0
    assert it.proxy.tasks.failed == 0


def others_as_before(it: Rig, line: Line) -> None:
    """Whoever met no fault is blamed for none."""
    hit = {hit.account for hit in line.hits}
    if None in hit:
        return
    now, ctx = it.proxy.clock.now(), Context(it.proxy.pool.settings)
    for name in {*"bc"} - hit:
        state = named(it, name)
        assert isinstance(check(state, ASKED, now, ctx), Eligible), name
        assert state.health.failures == 0, name
