"""A home's usage file as readings."""

from hypothesis import given
from hypothesis import strategies as st

from maxpool import Reading
from maxpool.wire.homeusage import report
from maxpool.wire.statusline import Window, usage_text
from tests.make import HOUR, NOW


def told(**windows: Window) -> bytes:
    return usage_text(windows, None, NOW)


def test_windows_become_readings_by_our_names():
    found = report(
        told(
            five_hour=Window(0.5, NOW + HOUR),
            seven_day=Window(1.2, NOW + HOUR),
            seven_day_opus=Window(0.1),
        ),
        NOW,
    )
    assert found.source == "statusline"
    assert found.readings == (
        Reading("5h", 0.5, NOW + HOUR),
        Reading("7d", 1.2, NOW + HOUR),
        Reading("7d:opus", 0.1, None),
    )


def test_a_window_that_has_ended_tells_nothing():
    assert not report(told(five_hour=Window(0.9, NOW)), NOW).readings


@given(st.binary(max_size=100))
def test_junk_is_no_reading(data: bytes):
    assert not report(data, NOW).readings
