"""Background work: the only place that starts asyncio tasks.

Keeps a reference to each task (the loop itself keeps none), names it, and logs what it raises. Logs
say where and what kind, never the text of a foreign exception: that may quote a body or a secret.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Coroutine

MAX_TASKS = 10_000
"""More than streams, probes and timers can ever need at once: a leak stops here."""

CANCEL_S = 5.0
"""How long cancelled tasks may take to tidy up."""

T = TypeVar("T")

_log = logging.getLogger("maxpool.tasks")


class TooManyTasks(MaxpoolError):  # noqa: N818 - named like the rest of the tree
    """No further task is started: the limit is reached, or the server is shutting down."""


class Tasks:
    """The running tasks of a server; `failed` counts those that raised."""

    def __init__(self, *, limit: int = MAX_TASKS) -> None:
        self._limit = limit
        self._running: dict[asyncio.Task[Any], bool] = {}
        self._closing = False
        self.failed = 0

    def __len__(self) -> int:
        return len(self._running)

    def spawn(
        self, coroutine: Coroutine[Any, Any, T], name: str, *, finish: bool = True
    ) -> asyncio.Task[T]:
        """Start `coroutine` as a task called `name`; raises TooManyTasks, the coroutine then closed.

        `finish`: shutdown lets it come to its end within the limit; endless loops say False and are
        cancelled at once.
        """
        if self._closing or len(self._running) >= self._limit:
            coroutine.close()
            raise TooManyTasks(
                f"cannot start {name}: {'shutting down' if self._closing else 'too many tasks'}"
            )
        task = asyncio.create_task(coroutine, name=name)
        self._running[task] = finish
        task.add_done_callback(self._done)
        return task

    async def aclose(self, timeout_s: float) -> None:
        """Start nothing more, give running tasks `timeout_s` to end, then cancel them."""
        self._closing = True
        for task, finish in self._running.items():
            if not finish:
                task.cancel()
        if self._running:
            await asyncio.wait(list(self._running), timeout=timeout_s)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(list(self._running), timeout=CANCEL_S)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.pop(task, None)
        if task.cancelled():
            return
        exc = task.exception()
        if exc is not None:
            self.failed += 1
            _log.error("%s failed: %s", task.get_name(), describe(exc))


def describe(exc: BaseException) -> str:
    """Kind and place of `exc`; its text only when it is one of ours, which hold no secrets."""
    frames = traceback.extract_tb(exc.__traceback__)
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-4:]))
    text = f": {exc.message}" if isinstance(exc, MaxpoolError) else ""
    return f"{type(exc).__name__}{text}{f' (in {where})' if where else ''}"
