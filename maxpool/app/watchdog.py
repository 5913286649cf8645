"""Signs of life for a service manager that restarts what hangs.

They come from the event loop, where all work is done: a loop that is stuck gives none, however well
the process's other threads are. Nothing is said of accounts or upstreams here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from maxpool.adapters import notify

if TYPE_CHECKING:
    from maxpool.ports import Clock
    from maxpool.service.tasks import Tasks

SIGNS_PER_LIMIT: Final = 3
"""Signs within the time that may pass without one: two may come late or get lost."""


def begin(tasks: Tasks, clock: Clock) -> None:
    """Give signs until the tasks end, where a service manager asks for them."""
    limit_s = notify.watched_s()
    if limit_s is not None:
        tasks.spawn(_give(clock, limit_s / SIGNS_PER_LIMIT), "watchdog", finish=False)


async def _give(clock: Clock, every_s: float) -> None:
    while True:
        notify.alive()
        await clock.sleep(every_s)
