from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from maxpool.errors import SecretError
from maxpool.service.tasks import Tasks, TooManyTasks, describe


async def fail(exc) -> None:
    raise exc


async def test_a_task_lives_without_anybody_holding_it():
    tasks, done = Tasks(), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0.02)
        done.set()

    tasks.spawn(work(), "work")
    gc.collect()
    async with asyncio.timeout(30):
        await done.wait()
        await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_what_a_task_raises_is_logged_by_kind_and_place_but_not_by_its_text(caplog):
    tasks = Tasks()
    tasks.spawn(fail(ValueError("sk-secret")), "refresh")
    await asyncio.sleep(0.01)
    assert tasks.failed == 1
    assert "refresh failed: ValueError (in fail:" in caplog.text
    assert "sk-secret" not in caplog.text


def test_the_text_of_our_own_exceptions_is_told():
    assert describe(SecretError("KEY is not set", "hint")) == "SecretError: KEY is not set"


async def test_a_cancelled_task_is_no_failure(caplog):
    caplog.set_level(logging.DEBUG, "maxpool")
    tasks = Tasks()
    tasks.spawn(asyncio.Event().wait(), "wait").cancel()
    await asyncio.sleep(0.01)
    assert (tasks.failed, len(tasks), caplog.text) == (0, 0, "")


async def test_closing_lets_work_finish_and_cancels_endless_loops_at_once():
    tasks, ended = Tasks(), []

    async def work() -> None:
        await asyncio.sleep(0.05)
        ended.append("work")

    async def loop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("loop")

    tasks.spawn(work(), "work")
    tasks.spawn(loop(), "loop", finish=False)
    await asyncio.sleep(0)
    await tasks.aclose(30)
    assert ended == ["loop", "work"]


async def test_closing_cancels_what_is_late():
    tasks = Tasks()
    late = tasks.spawn(asyncio.Event().wait(), "late")
    async with asyncio.timeout(30):
        await tasks.aclose(0.02)
    assert late.cancelled()


async def test_nothing_starts_beyond_the_limit_or_after_closing():
    tasks = Tasks(limit=1)
    tasks.spawn(asyncio.Event().wait(), "first")
    with pytest.raises(TooManyTasks, match="too many"):
        tasks.spawn(asyncio.Event().wait(), "second")
    await tasks.aclose(0)
    with pytest.raises(TooManyTasks, match="shutting down"):
        tasks.spawn(asyncio.Event().wait(), "third")
