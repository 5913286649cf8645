from __future__ import annotations

import asyncio
import sys
import time

import pytest

from maxpool.adapters.clock import SystemClock, elapsed_source


def test_now_is_epoch_seconds():
    assert abs(SystemClock().now() - time.time()) < 1


async def test_sleep_lets_others_run_and_takes_a_negative_time_as_none():
    async with asyncio.timeout(4):
        await SystemClock().sleep(-5)
        await SystemClock().sleep(0.001)


def test_elapsed_time_only_ever_grows():
    one = SystemClock()
    before = one.elapsed()
    assert all(one.elapsed() >= before for _ in range(1000))


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has this clock")
def test_elapsed_time_counts_the_sleep_of_the_machine():  # O7
    difference = elapsed_source()() - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert abs(difference) < 1


def test_on_macos_the_clock_that_counts_sleep_has_another_name(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert abs(elapsed_source()() - time.clock_gettime(time.CLOCK_MONOTONIC)) < 1


def test_a_system_without_such_a_clock_has_the_common_one(monkeypatch):
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 9999, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert elapsed_source() is time.monotonic
