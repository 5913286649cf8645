"""The client's status-line JSON: every field may be missing, null, a string or nonsense."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.statusline import Shown, Window, merged, number, read, text, usage_in, usage_text

NOW = 1_800_000_000.0
NUMBERS = st.none() | st.floats() | st.integers() | st.text(max_size=8)


def told(**fields: Any) -> Shown:
    return read(json.dumps(fields).encode())


def test_a_whole_document_gives_all_facts():
    found = told(
        session_id="s-1",
        model={"id": "claude-x", "display_name": "Sonnet 5.5"},
        context_window={"used_percentage": 43},
        rate_limits={
            "five_hour": {"used_percentage": 57.5, "resets_at": NOW + 60},
            "seven_day": {"used_percentage": "104", "resets_at": str(NOW + 600)},
        },
    )
    assert (found.session, found.model, found.context) == ("s-1", "Sonnet 5.5", 0.43)
    assert found.windows == {
        "five_hour": Window(0.575, NOW + 60),
        "seven_day": Window(1.04, NOW + 600),
    }


@pytest.mark.parametrize(
    ("window", "share"),
    [
        ({"used_percentage": "12.5"}, 0.125),
        ({"used_percentage": None, "remaining_percentage": 80}, 0.2),
        ({"total_input_tokens": 50_000, "context_window_size": 200_000}, 0.25),
        ({"total_input_tokens": 5, "context_window_size": 0}, None),
        (None, None),
        ([], None),
    ],
)
def test_the_context_is_read_from_whichever_numbers_are_there(window: object, share: float | None):
    found = told(context_window=window).context
    assert found == (pytest.approx(share) if share is not None else None)


@pytest.mark.parametrize("value", [None, True, "", "x", "nan", "inf", -1, 1e300, [], {}, "9" * 400])
def test_what_is_no_share_or_time_is_unknown(value: object):  # S17
    assert number(value) is None


def test_a_text_is_one_printable_line():
    assert text("a\x1b[31mb\r\nc\u202e") == "a [31mb c"
    assert text("\ud800x" + "y" * 200) == "?x" + "y" * 78
    assert (text(""), text(None), text(3)) == (None, None, None)


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes):
    read(data)
    usage_in(data)


@given(
    limits=st.dictionaries(
        st.sampled_from(["five_hour", "seven_day", "seven_day_opus", "x"]),
        st.none() | st.fixed_dictionaries({"used_percentage": NUMBERS, "resets_at": NUMBERS}),
    )
)
def test_any_numbers_give_sane_windows(limits: dict[str, Any]):
    for window in told(rate_limits=limits).windows.values():
        assert 0.0 <= window.used <= 100.0
        assert window.reset_at is None or 0.0 <= window.reset_at < 1e12


def test_a_deep_or_huge_document_is_nothing():
    assert read(b"[" * 100_000) == read(b'{"model":' * 100_000) == Shown()
    assert read(b'{"a": ' + b"9" * 5000 + b"}") == Shown()


def test_usage_survives_its_file():
    windows = {"five_hour": Window(0.5, NOW + 60), "seven_day_opus": Window(0.1)}
    assert usage_in(usage_text(windows, "s", NOW)) == windows


def test_within_one_window_the_fuller_reading_is_the_later_one():
    older, newer = {"five_hour": Window(0.5, NOW + 600)}, {"five_hour": Window(0.4, NOW + 603)}
    assert merged(older, newer, NOW) == older
    assert merged(newer, older, NOW) == older


def test_a_new_window_replaces_the_ended_one_and_no_late_reading_brings_it_back():
    ended, fresh = {"five_hour": Window(0.9, NOW + 60)}, {"five_hour": Window(0.1, NOW + 18_060)}
    assert merged(ended, fresh, NOW) == fresh
    assert merged(fresh, ended, NOW) == fresh
    assert merged(ended, {}, NOW + 61) == {}


def test_reading_needs_nothing_beyond_the_standard_library():
    code = "import sys, maxpool.wire.statusline; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    names = {name.split(".")[0] for name in answer.stdout.split()}
    assert not {"msgspec", "click", "pydantic"} & names
