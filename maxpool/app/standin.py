"""The first process of a chain of servers, once another one serves: what its shell or supervisor sees.

It stays, because whoever started it waits for it: a terminal gives no prompt back, a container or a
service does not end. It passes stop, hurry and reload on to whoever serves, over the lifeline, and ends
with that one's exit code. By the lifeline and not by signals: Ctrl-C and most supervisors signal every
process of the group, and a second signal would cut what still runs.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from maxpool.adapters import process

if TYPE_CHECKING:
    from maxpool.adapters.handover import Child, Lifeline

STOP, HURRY, RELOAD = "s", "h", "r"
"""What goes down the lifeline: drain and end; end at once; read the config again."""

REAP_AGAIN_S: Final = 0.1
"""So soon a child is looked at again that another thread is just taking note of."""


@dataclass(slots=True, kw_only=True)
class StandIn:
    """Stands for whoever serves. `hurry`: is set when this process's own drain is to end at once.

    `reaps`: orphans become its children, and nobody else takes note of their end.
    """

    line: Lifeline
    child: Child
    hurry: asyncio.Event
    reaps: bool = False
    said: str = ""
    asked: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        """From now on signals mean whoever serves."""
        self.line.listen(self._heard)
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, AttributeError):
            loop.add_signal_handler(signal.SIGTERM, self.stop)
            loop.add_signal_handler(signal.SIGINT, self.stop)
            loop.add_signal_handler(signal.SIGHUP, self.line.say, RELOAD)

    async def ended(self) -> int:
        """Wait until nobody serves any more; returns the last one's exit code."""
        if self.reaps:  # not while this process drains: then it has other children of its own
            asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)
            self._reap()
        await self.gone.wait()
        self.line.close()
        last = [line for line in self.said.splitlines() if line.startswith("exit ")]
        if last:
            return int(last[-1].removeprefix("exit "))
        code = await self.child.ended()  # no last word: it was killed, or failed
        return 1 if not code else code if code > 0 else 128 - code

    def stop(self) -> None:
        """Whoever serves is to end; said once more, at once."""
        self.line.say(HURRY if self.asked else STOP)
        if self.asked:
            self.hurry.set()
        self.asked = True

    def _reap(self) -> None:
        """Take note of each process that ended; the first successor's end is `child`'s to know."""
        while (gone := process.ended_child()) is not None:
            if gone != self.child.pid:
                process.reap(gone)
            elif self.child.process.poll() is None:  # the thread that waits for it is at it
                asyncio.get_running_loop().call_later(REAP_AGAIN_S, self._reap)
                return

    def _heard(self, text: str) -> None:
        self.said = (self.said + text)[-200:]
        if not text:
            self.gone.set()
