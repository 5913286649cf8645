"""The fault matrix as data: what happens upstream, what the client then sees, what becomes of the account.

Played over real sockets by `tests/claims/test_fault_matrix.py` and by `scripts/faults`, which writes it as the
README's table. Account `a` is preferred and meets the fault, `b` and `c` are healthy, unless a line says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from maxpool.sim import faults
from maxpool.sim.faults import CutFault, EndFault, GarbageFault, HangFault, QuotaFault, SlowFault
from tests.rig import MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.sim.faults import Fault

Form = Literal["stream", "json"]
FORMS: tuple[Form, ...] = ("stream", "json")

RESET_S = 7200.0
RESETS_AT = "its reset"
LOGIN = "a new login"
NEVER = "a person acts"

QUICK = {"header_timeout_stream": 0.5, "header_timeout_json": 0.5, "idle_timeout": 0.5}
"""Deadlines of the upstream, shortened so that a hang costs a test no minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fault that `account` meets (None: whoever is asked), so many `times` (None: always)."""

    fault: Fault
    account: str | None = "a"
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of account `a`.

    `reason`: why it cannot serve (this `model` of it, if that is set); `for_s`: how long; `ends`: in words,
    where that is no fixed time; `failures`: in a row, as its breaker counts them.
    """

    reason: str | None = None
    for_s: float | None = None
    ends: str = ""
    model: bool = False
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a request ends.

    `sees`: `answer` (whole and good), `cut` (a broken connection), `event TYPE` (an error event ends the
    stream), or `STATUS TYPE`; `passes`: byte for byte as the upstream sent it. `asked`: who was, in order.
    """

    sees: str = "answer"
    asked: str = "ab"
    passes: bool = False
    fate: Fate = field(default_factory=Fate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line; `json`: how it ends for a request that does not stream, where that differs.

    `sections`: of the config; `asks`: what the request says besides; `says`: what stands in an error's text.
    """

    happens: str
    hits: tuple[Hit, ...]
    end: End
    json: End | None = None
    forms: tuple[Form, ...] = FORMS
    sections: Mapping[str, Any] = field(default_factory=dict)
    asks: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""

    def end_of(self, form: Form) -> End:
        """How it ends for requests of that form."""
        return self.json if form == "json" and self.json is not None else self.end


AS_BEFORE = Fate()
COUNTED = Fate(failures=1)
NETWORK = Fate(reason="network", for_s=5.0)
COOLING = Fate(reason="model_cooling", for_s=10.0, model=True)
LOCKED = Fate(reason="locked_out", ends=LOGIN)
CLOSED = Fate(reason="closed", ends=NEVER)
BILLING = Fate(reason="billing", for_s=900.0)
QUOTA = QuotaFault(window="5h", resets_in_s=RESET_S)
ODD_400 = b'{ "type":"error",\n "error":{"type":"invalid_request_error","message":"\\u00e9 no"} }\n'


def line(
    happens: str,
    *found: Fault | Hit,
    sees: str = "answer",
    asked: str = "ab",
    fate: Fate = AS_BEFORE,
    passes: bool = False,
    **more: Any,
) -> Line:
    """A line in few words: a bare fault is met by `a`, always."""
    hits = tuple(one if isinstance(one, Hit) else Hit(fault=one) for one in found)
    end = End(sees=sees, asked=asked, fate=fate, passes=passes)
    return Line(happens=happens, hits=hits, end=end, **more)


def everywhere(fault: Fault, times: int | None = None) -> Hit:
    """Every account meets it."""
    return Hit(fault=fault, account=None, times=times)


def each(fault: Fault) -> tuple[Hit, ...]:
    """Every account meets it once."""
    return tuple(Hit(fault=fault, account=name, times=1) for name in "abc")


SERVER_ERRORS = (500, 502, 503, 504, 520, 522, 526, 408, 409)
OF_THE_REQUEST = {
    410: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
}

BUSY = (
    line("529, once", Hit(fault=faults.overloaded(), times=1), asked="aa"),
    line("529", faults.overloaded(), asked="aab", fate=COOLING),
    *(line(str(code), faults.status(code), fate=COUNTED) for code in SERVER_ERRORS),
    line(
        "500 on two accounts",
        faults.status(500),
        Hit(fault=faults.status(500), account="b"),
        asked="abc",
        fate=COUNTED,
    ),
)
LIMITS = (
    line("429, a quota window is used up", QUOTA, fate=Fate(reason="quota", ends=RESETS_AT)),
    line(
        "429, one model family's quota is used up",
        QuotaFault(window="family", resets_in_s=RESET_S),
        fate=Fate(reason="family_quota", ends=RESETS_AT, model=True),
    ),
    line(
        "429 with `retry-after: 2`, nothing said of quota",
        faults.concurrency_burst(2.0),
        fate=Fate(reason="provisional", for_s=2.0),
    ),
    line(
        "429 that says nothing",
        faults.bare_429(),
        fate=Fate(reason="provisional", for_s=10.0),
    ),
    line(
        "429, the organisation's spend limit",
        faults.spend_limit(),
        fate=Fate(reason="spend_limit", for_s=3600.0),
    ),
    line("429 about extra usage", faults.extra_usage()),
    line(
        "429 on all, for a second",
        *each(faults.concurrency_burst(1.0)),
        asked="abca",
    ),
    line(
        "429 on all, every quota is used up",
        everywhere(QUOTA),
        sees="429 rate_limit_error",
        asked="abc",
        fate=Fate(reason="quota", ends=RESETS_AT),
        says="that names the next reset",
    ),
)
LOGINS = (
    line("401", faults.unauthorized(), asked="aab", fate=LOCKED),
    line("401, once", Hit(fault=faults.unauthorized(), times=1), asked="aa"),
    line("403", faults.plain_forbidden(), fate=Fate(reason="forbidden", for_s=300.0)),
    line("403, the login was revoked", faults.revoked(), fate=LOCKED),
    line("403, no longer a member", faults.not_a_member(), fate=LOCKED),
    line("400, the organisation is disabled", faults.organization_disabled(), fate=CLOSED),
    line("402", faults.payment_required(), fate=BILLING),
    line("400, the credit is used up", faults.credit_balance(), fate=BILLING),
    line(
        "401 on all",
        everywhere(faults.unauthorized()),
        sees="502 api_error",
        asked="aabbcc",
        fate=LOCKED,
        says="that names the accounts",
    ),
)
REQUEST = (
    line(
        "400 about the request",
        everywhere(faults.bad_request(ODD_400)),
        sees="400 invalid_request_error",
        asked="a",
        passes=True,
    ),
    *(
        line(
            str(code),
            everywhere(faults.status(code, "of the request")),
            sees=f"{code} {kind}",
            asked="a",
            passes=True,
        )
        for code, kind in OF_THE_REQUEST.items()
    ),
    line(
        "404, the account lacks the model",
        faults.missing_model(MODEL),
        fate=Fate(reason="model_missing", for_s=3600.0, model=True),
    ),
    line(
        "3xx, which is never followed",
        everywhere(faults.redirect()),
        sees="502 api_error",
        asked="a",
    ),
)
NET = (
    line("the connection is reset before headers", CutFault(), fate=NETWORK),
    line("the connection is closed before headers", CutFault(rst=False), fate=NETWORK),
    line(
        "the connection is refused",
        asked="b",
        fate=NETWORK,
        sections={"entries": {"a": {"base_url": "http://127.0.0.1:1"}}},
    ),
    line(
        "its name cannot be resolved",
        asked="b",
        fate=NETWORK,
        sections={"entries": {"a": {"base_url": "http://no-such-host.invalid"}}},
    ),
    line("no headers in time", HangFault(), fate=NETWORK, sections={"upstream": QUICK}),
    line(
        "headers, and then nothing",
        HangFault(after=0),
        fate=NETWORK,
        sections={"upstream": QUICK},
    ),
    line(
        "the beginning of an answer, and then nothing",
        HangFault(after=2),
        fate=NETWORK,
        sections={"upstream": QUICK},
    ),
    line(
        "one byte at a time, for longer than any silence may last",
        SlowFault(interval_s=0.001, size=1),
        asked="a",
        sections={"upstream": QUICK},
        asks={"max_tokens": 1},
    ),
)
GARBAGE = (
    line("200 with an HTML page", GarbageFault(kind="html"), fate=COUNTED),
    line("200 with nothing in it", GarbageFault(kind="empty"), fate=COUNTED),
    line("200 with broken JSON", GarbageFault(kind="broken_json"), fate=COUNTED),
    line("200 with a stream without events", GarbageFault(kind="no_events"), fate=COUNTED),
    line("200 with half a gzip file", GarbageFault(kind="truncated_gzip"), fate=COUNTED),
    line(
        "200 whose first event is an `overloaded_error`",
        faults.error_event("overloaded_error"),
        asked="aab",
        fate=COOLING,
    ),
    line(
        "200 whose first event is a `rate_limit_error`",
        faults.error_event("rate_limit_error"),
        fate=Fate(reason="provisional", for_s=10.0),
    ),
)
BROKEN = (
    line("an end before any content", EndFault(after=2), fate=COUNTED, forms=("stream",)),
    line("a cut before any content", CutFault(after=2), fate=NETWORK),
    line(
        "a cut inside a block",
        CutFault(after="delta"),
        sees="cut",
        asked="a",
        json=End(fate=NETWORK),
    ),
    line(
        "a cut between blocks",
        CutFault(after="block"),
        sees="event overloaded_error",
        asked="a",
        json=End(fate=NETWORK),
    ),
    line(
        "an early end inside a block",
        EndFault(after="delta"),
        sees="cut",
        asked="a",
        json=End(fate=COUNTED),
    ),
    line(
        "silence inside a block",
        HangFault(after="delta"),
        sees="cut",
        asked="a",
        json=End(fate=NETWORK),
        sections={"upstream": QUICK},
    ),
    line(
        "an `error` event of the upstream after content",
        faults.error_event("api_error", after="delta"),
        sees="event api_error",
        asked="a",
        passes=True,
        forms=("stream",),
    ),
)
LINES = (*BUSY, *LIMITS, *LOGINS, *REQUEST, *NET, *GARBAGE, *BROKEN)
