"""The fault matrix of other vendors: what their errors mean, and what becomes of account `a`.

Played as `tests/faults/lines` are, with three accounts of kind `provider`, each another vendor's, which
speak the client's own API or OpenAI's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.sim import faults
from maxpool.sim.faults import CutFault, GarbageFault, HangFault
from tests.faults.lines import (
    AS_BEFORE,
    BILLING,
    COOLING,
    COUNTED,
    LOCKED,
    NETWORK,
    QUICK,
    Fate,
    Hit,
    everywhere,
    line,
)
from tests.rig import MODEL

if TYPE_CHECKING:
    from tests.faults.lines import Line

TOO_LONG = faults.status(400, "It is too long.", error_code="context_length_exceeded")
FORBIDDEN = faults.status(400, "Not with us.", error_code="content_policy_violation")
NO_MONEY = faults.status(429, "You exceeded your quota.", error_code="insufficient_quota")
SILENT = Fate(reason="network", for_s=5.0, failures=1)

PROVIDER_LINES = (
    line("500, once", Hit(fault=faults.status(500), times=1), asked="aa"),
    line("500", faults.status(500), asked="aaab", fate=COUNTED),
    line(
        "500 on all",
        everywhere(faults.status(500)),
        sees="500 api_error",
        asked="aaabbb",
        fate=COUNTED,
    ),
    line("408", faults.status(408), asked="aaab", fate=COUNTED),
    line("529", faults.overloaded(), fate=COOLING),
    line(
        "429 with `retry-after: 20`",
        faults.concurrency_burst(20.0),
        fate=Fate(reason="rate_limited", for_s=20.0),
    ),
    line("429 that says nothing", faults.bare_429(), fate=Fate(reason="rate_limited", for_s=30.0)),
    line("429 `insufficient_quota`", NO_MONEY, fate=BILLING),
    line("402", faults.payment_required(), fate=BILLING),
    line("401", faults.unauthorized(), asked="aab", fate=LOCKED),
    line("403", faults.plain_forbidden(), fate=Fate(reason="forbidden", for_s=1800.0)),
    line(
        "404, the account lacks the model",
        faults.missing_model(MODEL),
        fate=Fate(reason="model_missing", for_s=3600.0, model=True),
    ),
    line("400 `context_length_exceeded`", TOO_LONG, fate=AS_BEFORE),
    line(
        "400 `context_length_exceeded` on all",
        everywhere(TOO_LONG),
        sees="400 invalid_request_error",
        asked="abc",
        passes=True,
    ),
    line(
        "400 `content_policy_violation`",
        everywhere(FORBIDDEN),
        sees="400 invalid_request_error",
        asked="a",
        passes=True,
    ),
    line(
        "400 about the request",
        everywhere(faults.bad_request()),
        sees="400 invalid_request_error",
        asked="a",
        passes=True,
    ),
    line("200 with an HTML page", GarbageFault(kind="html"), asked="aaab", fate=COUNTED),
    line("200 with nothing in it", GarbageFault(kind="empty"), asked="aaab", fate=COUNTED),
    line("200 with broken JSON", GarbageFault(kind="broken_json"), asked="aaab", fate=COUNTED),
    line("the connection is reset before headers", CutFault(), asked="aaab", fate=SILENT),
    line(
        "no headers in time", HangFault(), asked="aaab", fate=SILENT, sections={"upstream": QUICK}
    ),
    line(
        "the connection is refused",
        asked="b",
        fate=NETWORK,
        sections={"entries": {"a": {"base_url": "http://127.0.0.1:1"}}},
    ),
)


def abroad(line: Line) -> Line:
    """The same where the three speak OpenAI's Chat Completions: no byte of theirs is the client's."""
    given = line.sections.get("entries", {})
    entries = {name: {"format": "openai-chat", **given.get(name, {})} for name in "abc"}
    return replace(
        line,
        sections={**line.sections, "entries": entries},
        end=replace(line.end, passes=False),
        json=None if line.json is None else replace(line.json, passes=False),
    )
