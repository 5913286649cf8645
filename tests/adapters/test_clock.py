from __future__ import annotations

import asyncio
import time

from maxpool.adapters.clock import SystemClock


def test_now_is_epoch_seconds():
    assert abs(SystemClock().now() - time.time()) < 1


async def test_sleep_lets_others_run_and_takes_a_negative_time_as_none():
    async with asyncio.timeout(1):
        await SystemClock().sleep(-5)
        await SystemClock().sleep(0.001)
