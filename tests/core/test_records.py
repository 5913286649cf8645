"""What the ledger keeps, as values."""

from __future__ import annotations

from maxpool.core.records import LedgerQuery, RequestRecord, UsageLine
from tests.make import request_record


def test_nothing_of_a_prompt_an_answer_or_a_credential_has_a_field():  # O6
    words = {part for name in RequestRecord._fields for part in name.split("_")}
    assert not words & {
        "prompt",
        "text",
        "body",
        "content",
        "answer",
        "secret",
        "bearer",
        "headers",
    }


def test_what_went_through_this_server_is_of_no_device():
    assert request_record(1).device == ""
    assert RequestRecord._field_defaults == {"device": ""}


def test_all_tokens_of_a_line_are_its_kinds_together():
    line = UsageLine(
        key="k",
        requests=1,
        failed=0,
        tokens_in=1,
        tokens_out=20,
        cache_read=300,
        cache_write=4000,
        unpriced=0,
        cost_usd=0.0,
        total_ms=0.0,
    )
    assert line.tokens == 4321


def test_days_are_utc_unless_told_otherwise():
    assert LedgerQuery(by="day").offset_s(0.0) == 0
