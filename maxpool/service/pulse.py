"""The pulse: one slow tick for all open requests, instead of a timer for each.

After `commit_after_s` without an answer a streaming caller gets headers and then a ping every
`heartbeat_s`, for as long as no content came; a caller that takes nothing for `stall_s` is dropped.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.service.downstream import EVENT_STREAM
from maxpool.service.tasks import TooManyTasks
from maxpool.wire.replies import PING

if TYPE_CHECKING:
    from maxpool.ports import Clock
    from maxpool.service.downstream import ClientWatch, Downstream
    from maxpool.service.limits import Limits
    from maxpool.service.tasks import Tasks


@dataclass(slots=True, eq=False)
class Beat:
    """One open request under the pulse."""

    down: Downstream
    watch: ClientWatch
    since: float
    streaming: bool
    headers: tuple[tuple[bytes, bytes], ...]
    last_beat: float = 0.0


@dataclass(slots=True)
class Pulse:
    """Ticks over the open requests; start it once, in the lifespan."""

    clock: Clock
    limits: Limits
    tasks: Tasks
    open: set[Beat] = field(default_factory=set)

    def join(
        self,
        down: Downstream,
        watch: ClientWatch,
        request_id: str,
        *,
        streaming: bool,
    ) -> Beat:
        """Put a request under the pulse."""
        headers = (*EVENT_STREAM, (b"x-request-id", request_id.encode()))
        beat = Beat(down, watch, self.clock.elapsed(), streaming, headers)
        self.open.add(beat)
        return beat

    def leave(self, beat: Beat) -> None:
        """The request ended."""
        self.open.discard(beat)

    async def run(self) -> None:
        """Tick until cancelled."""
        step = max(min(1.0, self.limits.heartbeat_s / 4, self.limits.commit_after_s / 4), 0.01)
        while True:
            await self.clock.sleep(step)
            self.tick()

    def tick(self) -> None:
        """Look once at every open request."""
        now = self.clock.elapsed()
        for beat in list(self.open):
            stuck = beat.down.writing_since
            if stuck is not None:
                if now - stuck > self.limits.stall_s:
                    beat.watch.drop()
            elif beat.streaming and not beat.down.content and not beat.down.finished:
                self._keep_alive(beat, now)

    def _keep_alive(self, beat: Beat, now: float) -> None:
        if now - beat.since < self.limits.commit_after_s:
            return
        if now - beat.last_beat >= self.limits.heartbeat_s:
            beat.last_beat = now
            with suppress(TooManyTasks):  # a missed beat; the pulse itself must go on
                self.tasks.spawn(self._beat(beat), "heartbeat")

    async def _beat(self, beat: Beat) -> None:
        down = beat.down
        await down.start(200, beat.headers)
        if not down.content and not down.finished:
            await down.beat(PING)
