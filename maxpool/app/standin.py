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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.adapters.handover import Child, Lifeline

STOP, HURRY, RELOAD = "s", "h", "r"
"""What goes down the lifeline: drain and end; end at once; read the config again."""


@dataclass(slots=True, kw_only=True)
class StandIn:
    """Stands for whoever serves. `hurry`: is set when this process's own drain is to end at once."""

    line: Lifeline
    child: Child
    hurry: asyncio.Event
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

    def _heard(self, text: str) -> None:
        self.said = (self.said + text)[-200:]
        if not text:
            self.gone.set()
