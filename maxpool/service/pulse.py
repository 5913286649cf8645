"""The pulse: one slow tick for all open requests, instead of a timer for each.

After `commit_after_s` without an answer a streaming caller gets headers and then a ping every
`heartbeat_s`, for as long as no content came; a caller that takes nothing for `stall_s` is dropped.
With `json_keepalive` whoever waits in the queue for an answer in one piece gets white space instead.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.service.downstream import EVENT_STREAM, JSON, PLAIN_JSON, STREAM
from maxpool.service.tasks import TooManyTasks
from maxpool.wire.replies import PING, WHITESPACE

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
        form = EVENT_STREAM if streaming else PLAIN_JSON
        headers = (*form, (b"x-request-id", request_id.encode()))
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
            elif self._silent(beat):
                self._keep_alive(beat, now)

    def _silent(self, beat: Beat) -> bool:
        """Whether its caller has to be told that it still lives.

        An answer in one piece begins with white space only where it waits: an upstream that thinks
        for long may still answer with another status.
        """
        down = beat.down
        if down.content or down.finished or (down.started and not down.promised):
            return False
        if beat.streaming or down.promised:
            return True
        return self.limits.json_keepalive and down.waits

    def _keep_alive(self, beat: Beat, now: float) -> None:
        if now - beat.since < self.limits.commit_after_s:
            return
        if now - beat.last_beat >= self.limits.heartbeat_s:
            beat.last_beat = now
            with suppress(TooManyTasks):  # a missed beat; the pulse itself must go on
                self.tasks.spawn(self._beat(beat), "heartbeat")

    async def _beat(self, beat: Beat) -> None:
        down = beat.down
        if not self._silent(beat):
            return
        await down.promise(STREAM if beat.streaming else JSON, beat.headers)
        if self._silent(beat):
            await down.beat(PING if beat.streaming else WHITESPACE)
