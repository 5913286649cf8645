"""Timers: APScheduler rings, nothing more.

What is due is decided elsewhere (`pool.due(now)`), and the work runs in `service/tasks`, because
the scheduler's shutdown cancels the coroutine jobs it runs. A ring that comes while the last one's
work still runs is skipped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC
from typing import TYPE_CHECKING, Any

from apscheduler import events
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from maxpool.service.tasks import Tasks

MIN_INTERVAL_S = 0.01
"""A timer that rings faster is a busy loop."""


class Timers:
    """Repeated rings; `start` and `aclose` belong into the application's lifespan."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._counts = {"runs": 0, "errors": 0, "missed": 0, "skipped": 0}
        self._stopped = asyncio.Event()
        self._rings: dict[str, tuple[float, Callable[[], Coroutine[Any, Any, None]]]] = {}
        self._scheduler: Any = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            timezone=UTC,
            # A grace time of 1 s, the default, would drop rings after any stall.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._heard, events.EVENT_ALL)
        # It logs every ring at INFO and every skipped one at WARNING: here they are counted.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    @property
    def counts(self) -> Mapping[str, int]:
        """Rings that ran, raised, came too late to run at all, or met the last one still running."""
        return dict(self._counts)

    def every(
        self, seconds: float, name: str, function: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Call `function` every `seconds`, first after one interval; a name replaces its namesake."""
        interval = max(seconds, MIN_INTERVAL_S)
        self._rings[name] = (interval, function)
        self._scheduler.add_job(
            self._ring,
            IntervalTrigger(seconds=interval, timezone=UTC),
            args=(name, function),
            id=name,
            name=name,
            replace_existing=True,
        )

    def realign(self) -> None:
        """The wall clock was set: count all intervals from now, since they go by it."""
        for name, (seconds, function) in list(self._rings.items()):
            self.every(seconds, name, function)

    async def start(self) -> None:
        """Begin to ring on the running event loop."""
        self._scheduler.start()

    def pause(self) -> None:
        """Ring no more, until `resume`; work that runs goes on."""
        self._scheduler.pause()

    def resume(self) -> None:
        """Ring again."""
        self._scheduler.resume()

    async def aclose(self) -> None:
        """Ring no more; work that runs goes on in `Tasks`. Idempotent."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)  # takes effect on the loop's next turn
            await self._stopped.wait()

    async def _ring(self, name: str, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._tasks.spawn(function(), name)
        # Waiting keeps max_instances honest; being cancelled here does not touch the task.
        await asyncio.wait({task})
        self._counts["runs"] += 1
        if not task.cancelled() and task.exception() is not None:
            self._counts["errors"] += 1  # Tasks has logged it

    def _heard(self, event: Any) -> None:  # noqa: ANN401 - APScheduler is untyped
        match event.code:
            case events.EVENT_JOB_ERROR:
                self._counts["errors"] += 1
            case events.EVENT_JOB_MISSED:
                self._counts["missed"] += 1
            case events.EVENT_JOB_MAX_INSTANCES:
                self._counts["skipped"] += 1
            case events.EVENT_SCHEDULER_SHUTDOWN:
                self._stopped.set()
            case _:
                pass
