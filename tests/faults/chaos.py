"""Random faults, thousands of them, in one seeded run: no error that was not needed, no wrong byte.

Two worlds: in `spare` two accounts meet every fault there is and the third none, so that no request may ever
end in an error; in `storm` all three meet faults that pass, so that only a request that has used up its sends
or its patience may. Every byte a client got is compared with what the upstream sent.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from maxpool import Command, CredentialChange
from maxpool.core.health import HealthState
from maxpool.sim import faults
from maxpool.sim.faults import (
    CutFault,
    EndFault,
    ErrorEventFault,
    GarbageFault,
    HangFault,
    QuotaFault,
    SlowFault,
)
from maxpool.sim.plans import SimSettings
from tests.faults.tap import Tap
from tests.rig import MODEL, ask, key, rig, until

if TYPE_CHECKING:
    from maxpool.config.fields import HttpClient
    from maxpool.sim.faults import Fault
    from maxpool.sim.requests import SimRequest
    from tests.faults.tap import Visit
    from tests.rig import Got, Rig

World = Literal["spare", "storm"]
WORLDS: tuple[World, ...] = ("spare", "storm")

SHARE = 0.45
"""Of the calls of an account that meets faults, how many do."""

AT_ONCE = 64
SENDS = 6
MENDED_S = 0.1
PATIENCE_S = 30.0
WAITS_S = 2.0
"""For headers and for the next byte: longer than a busy machine holds anybody up."""

PASSING: tuple[Fault, ...] = (
    faults.overloaded(),
    faults.status(500),
    faults.status(503),
    faults.status(520),
    faults.status(408),
    QuotaFault(window="5h", resets_in_s=1.0),
    QuotaFault(window="family", resets_in_s=1.0),
    faults.concurrency_burst(1.0),
    faults.bare_429(),
    faults.spend_limit(),
    faults.ramp_limit(1),
    faults.plain_forbidden(),
    faults.payment_required(),
    faults.credit_balance(),
    faults.missing_model(MODEL),
    CutFault(),
    CutFault(rst=False),
    CutFault(after=0),
    CutFault(after=2),
    CutFault(after=1, half_event=True),
    CutFault(after="delta"),
    CutFault(after="delta", rst=False),
    CutFault(after="block"),
    CutFault(after="block", half_event=True),
    EndFault(after=0),
    EndFault(after=2),
    EndFault(after="delta"),
    EndFault(after="block"),
    HangFault(),
    HangFault(after=0),
    HangFault(after=2),
    HangFault(after="delta"),
    HangFault(seconds=0.1),
    HangFault(after=2, seconds=0.1),
    GarbageFault(kind="html"),
    GarbageFault(kind="empty"),
    GarbageFault(kind="broken_json"),
    GarbageFault(kind="no_events"),
    GarbageFault(kind="truncated_gzip"),
    faults.error_event("overloaded_error"),
    faults.error_event("overloaded_error", after=1),
    faults.error_event("rate_limit_error"),
    faults.error_event("api_error"),
    faults.error_event("api_error", after="delta"),
    SlowFault(interval_s=0.001, size=64),
    faults.bad_request(),
    faults.status(413, "too much"),
)
LASTING: tuple[Fault, ...] = (
    faults.unauthorized(),
    faults.revoked(),
    faults.not_a_member(),
    faults.organization_disabled(),
    faults.organization_on_hold(),
)
HALF_GZIP = GarbageFault(kind="truncated_gzip")
OF_THE_REQUEST = (faults.bad_request(), faults.status(413, "too much"))

UNLIMITED = {
    "requests_per_minute": 1e9,
    "input_tokens_per_minute": 1e12,
    "output_tokens_per_minute": 1e12,
    "capacity_scale": 1e6,
}
"""Of the simulated accounts: nothing is refused but by a fault."""

SETTINGS = SimSettings(answer_tokens=(8, 120), gzip=True, **UNLIMITED)  # type: ignore[arg-type]
SECTIONS: dict[str, Any] = {
    "upstream": {
        "header_timeout_stream": WAITS_S,
        "header_timeout_json": WAITS_S,
        "idle_timeout": WAITS_S,
        "keepalive_expiry": 0.5,
        "max_sends": SENDS,
    },
    "queue": {"max_wait": PATIENCE_S, "max_wait_json": PATIENCE_S},
    "entries": {"b": {"priority": 0}, "c": {"priority": 9}},
    "pool": {
        "network": 0.05,
        "provisional": 0.1,
        "provisional_max": 0.3,
        "retry_after_min": 0.1,
        "quota_without_reset": 0.3,
        "breaker_initial": 0.1,
        "breaker_max": 0.2,
        "forbidden_initial": 0.1,
        "forbidden_max": 0.2,
        "spend_initial": 0.1,
        "spend_max": 0.2,
        "billing": 0.1,
        "model_missing": 0.1,
        "recovery_step": 0.01,
        "throttle_default": 0.2,
        "throttle_reopen": (0.1, 0.2),
        "throttle_ramp": 0.05,
        "throttle_ramp_gap": 0.005,
    },
}
"""Every pause a fraction of what it is for people, so that a run shows many of them."""


@dataclass(slots=True)
class Lots:
    """Draws the faults; `of` keeps what each try of a client's request met, None for nothing."""

    chance: random.Random
    world: World
    of: dict[str, list[Fault | None]] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)

    def __call__(self, request: SimRequest) -> Fault | None:
        """What happens to this request."""
        fault = self._draw(request)
        self.of.setdefault(request.header("x-tag") or "", []).append(fault)
        self.count[type(fault).__name__] += fault is not None
        return fault

    def _draw(self, request: SimRequest) -> Fault | None:
        spared = self.world == "spare" and request.account == "c"
        if spared or self.chance.random() > SHARE:
            return None
        return self.chance.choice(PASSING + (LASTING if self.world == "spare" else ()))


@dataclass(slots=True)
class Report:
    """What came of a run."""

    world: World
    requests: int = 0
    faults: int = 0
    sends: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def lines(self) -> str:
        """The report for people."""
        ends = ", ".join(f"{name} {n:,}" for name, n in self.ends.most_common())
        return (
            f"{self.world}: {self.requests:,} requests, {self.faults:,} faults, {self.sends:,} sends in "
            f"{self.seconds:.0f} s, the slowest answer took {self.slowest_s:.1f} s: {ends}; "
            f"wrong: {len(self.wrong)}" + "".join(f"\n  {text}" for text in self.wrong[:20])
        )


async def run(world: World, count: int, seed: int, client: HttpClient = "builtin") -> Report:
    """Requests in that world until `count` faults have happened; `Report.wrong` says what went wrong."""
    sections = {**SECTIONS, "upstream": {**SECTIONS["upstream"], "client": client}}
    chance, tap = random.Random(f"{world}:{seed}"), Tap()
    lots = Lots(random.Random(f"lots:{world}:{seed}"), world)
    report = Report(world)
    async with rig(*(key(name) for name in "abc"), sim=SETTINGS, tap=tap, **sections) as it:
        loop = asyncio.get_running_loop()
        it.sim.disturb(lots)
        began, tasks = loop.time(), len(asyncio.all_tasks())
        mending = asyncio.ensure_future(_mend(it))
        numbers = itertools.count()

        async def keep_asking() -> None:
            while lots.count.total() < count:
                await _one(it, f"{next(numbers)}", chance, (tap, lots, report))

        await asyncio.gather(*(keep_asking() for _ in range(AT_ONCE)))
        mending.cancel()
        report.seconds = loop.time() - began
        report.faults, report.sends = lots.count.total(), it.proxy.stats.sends
        report.kinds = lots.count
        report.wrong += await _left(it, tasks, report.requests)
    return report


async def _mend(it: Rig) -> None:
    """What a person would do: who was locked out or closed gets a new login."""
    pool, clock = it.proxy.pool, it.proxy.clock
    while True:
        await asyncio.sleep(MENDED_S)
        for account_id, state in pool.states.items():
            if state.health.state in (HealthState.LOCKED_OUT, HealthState.CLOSED):
                pool.credential(account_id, CredentialChange("logged_in"), clock.now())
                pool.command(Command("reset", account_id), clock.now())
        it.proxy.waiting.wake()


async def _one(it: Rig, tag: str, chance: random.Random, among: tuple[Tap, Lots, Report]) -> None:
    """One request, judged."""
    tap, lots, report = among
    body = ask(f"{tag} " + "x" * chance.randrange(10, 3000), stream=chance.random() < 0.7)
    headers = {"x-tag": tag}
    if chance.random() < 0.2:
        headers["x-claude-code-session-id"] = f"s{chance.randrange(100)}"
    if chance.random() < 0.2:
        headers["accept-encoding"] = "gzip"
    loop = asyncio.get_running_loop()
    began = loop.time()
    got = await it.post(body, headers=headers)
    visits, met = tap.of(tag), lots.of.pop(tag, [])
    report.requests += 1
    waited_s = loop.time() - began
    report.slowest_s = max(report.slowest_s, waited_s)
    end, wrong = judge(got, visits, met, waited_s)
    if lots.world == "spare" and end.startswith("error after"):
        wrong = "the account that meets no fault could have served it"
    report.ends[end] += 1
    if any(visit.asked != body for visit in visits):
        wrong = "the upstream got another body than the client sent"
    if wrong:
        names = [getattr(getattr(f, "problem", f), "message", str(f)) for f in met]
        report.wrong.append(f"{tag} [{end}] {wrong}; met {names}; {got.body[:300]!r}")


def judge(
    got: Got, visits: list[Visit], met: list[Fault | None], waited_s: float
) -> tuple[str, str]:
    """How a request ended, and what is wrong with that, "" when nothing is."""
    last = visits[-1].sent if visits else b""
    if got.status == 200:
        return _judge_answer(got, last, met[-1] if met else None)
    if met and met[-1] in OF_THE_REQUEST:
        wrong = "" if got.body == last else "the upstream's own error was changed"
        return "refused by the upstream", wrong
    if int(got.fields.get("x-maxpool-attempts", "0")) >= SENDS:
        return "error after six sends", ""
    if waited_s >= PATIENCE_S:
        return "error after its patience", ""
    return f"error {got.status}", f"somebody could have served it ({waited_s:.1f} s)"


def _judge_answer(got: Got, last: bytes, fault: Fault | None) -> tuple[str, str]:
    broke = isinstance(fault, CutFault | EndFault | HangFault) or fault == HALF_GZIP
    coding = got.fields.get("content-encoding", "")
    may_show = broke and b"event: content_block_delta" in plain(last, coding)
    if got.cut:
        wrong = "" if may_show and last.startswith(got.body) else "cut without need, or wrong bytes"
        return "visible break", wrong
    if got.body == last:
        text = plain(last, coding)
        if isinstance(fault, ErrorEventFault):
            return "the upstream's own error event", ""
        return "answer", "" if whole(text) else "not whole, and no break to be seen"
    rest = got.body.removeprefix(last)
    told = may_show and got.body.startswith(last) and rest.startswith(b"event: error\n")
    return "error event at a break", "" if told else "wrong bytes"


def whole(text: bytes) -> bool:
    """Whether it is all of an answer: a stream with its end, or JSON that parses."""
    if text.startswith(b"event:"):
        return text.endswith(b'data: {"type":"message_stop"}\n\n')
    try:
        return bool(json.loads(text)["stop_reason"])
    except ValueError:
        return False


def plain(body: bytes, coding: str) -> bytes:
    """What it says, as far as it goes."""
    return zlib.decompressobj(wbits=31).decompress(body) if coding == "gzip" else body


async def _left(it: Rig, tasks: int, requests: int) -> list[str]:
    """What a run left behind, or counted wrongly."""
    wrong: list[str] = []
    try:
        await until(lambda: it.idle() and len(asyncio.all_tasks()) <= tasks)
        await until(lambda: not any(it.sim.truth(name).in_flight for name in "abc"))
    except TimeoutError:
        wrong.append(f"left behind: {[task.get_name() for task in asyncio.all_tasks()]}")
    stats = it.proxy.stats
    if stats.internal_errors or it.proxy.tasks.failed:
        wrong.append(
            f"{stats.internal_errors} internal errors, {it.proxy.tasks.failed} failed tasks"
        )
    if stats.requests != requests:
        wrong.append(f"{stats.requests} requests were counted, {requests} were made")
    return wrong
