"""Bringing messages to their targets: one after the other, tried again, bounded, beside everything else.

Never blocks whoever posts, and never fails them. A target's URL is read (by reference) at each try, so a
mended secret helps at once; it appears in no log and no report.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from maxpool.errors import MaxpoolError, SecretError
from maxpool.ports import Call, Unreachable
from maxpool.service.tasks import TooManyTasks, describe
from maxpool.wire.alerts import request_of, target_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from maxpool.ports import Clock, SecretSource, Upstream
    from maxpool.service.tasks import Tasks
    from maxpool.wire.alerts import Message, Target

log = logging.getLogger("maxpool.alerts")

TIMEOUT_S: Final = 15.0
PAUSES_S: Final = (2.0, 10.0, 60.0, 300.0)
"""Before each further try; six minutes in all outlast a receiver's restart."""

MAX_WAITING: Final = 50
"""Messages for one target; the oldest makes room."""

AGAIN: Final = frozenset({408, 425, 429})
"""Besides 5xx: answers after which another try may help."""


class NotDelivered(MaxpoolError):  # noqa: N818 - named like the rest of the tree
    """A message did not arrive; `again`: another try may help."""

    def __init__(self, message: str, *, again: bool = True) -> None:
        super().__init__(message)
        self.again = again


@dataclass(slots=True)
class Outbox:
    """What waits for one target, and how it went so far."""

    where: str  # the URL, or where it is found
    waiting: deque[Message] = field(default_factory=lambda: deque(maxlen=MAX_WAITING))
    task: asyncio.Task[None] | None = None
    sent: int = 0
    lost: int = 0
    last_at: float | None = None
    last_error: str | None = None


@dataclass(slots=True)
class Delivery:
    """The targets by name. `reach`: our HTTP client; `apprise`: what sends where we do not speak the form."""

    reach: Upstream
    secrets: SecretSource
    clock: Clock
    tasks: Tasks
    apprise: Callable[[str, str, str], Awaitable[bool]]
    boxes: dict[str, Outbox] = field(default_factory=dict)
    version: str = ""

    def follow(self, targets: Mapping[str, str]) -> None:
        """Post to these from now on; what waits for one that stays is kept."""
        for name, box in list(self.boxes.items()):
            if targets.get(name) != box.where:
                if box.task is not None:
                    box.task.cancel()
                del self.boxes[name]
        for name, where in targets.items():
            self.boxes.setdefault(name, Outbox(where))

    def post(self, name: str, message: Message) -> None:
        """Have a message brought; a target that is gone is none."""
        box = self.boxes.get(name)
        if box is None:
            return
        box.lost += len(box.waiting) == MAX_WAITING
        box.waiting.append(message)
        if box.task is None or box.task.done():
            try:
                box.task = self.tasks.spawn(
                    self._bring(name, box), f"alerts to {name}", finish=False
                )
            except TooManyTasks:
                return  # the server stops

    async def once(self, name: str, message: Message) -> None:
        """Bring a message now, with one try; raises `NotDelivered`."""
        box = self.boxes.get(name)
        if box is None:
            known = ", ".join(sorted(self.boxes)) or "none"
            raise NotDelivered(f"there is no target called {name}; there are: {known}", again=False)
        await self._try(box, message)

    def report(self) -> dict[str, Any]:
        """For people: each target, without its URL."""
        return {
            name: {
                "sent": box.sent,
                "waiting": len(box.waiting),
                "lost": box.lost,
                "last_at": box.last_at,
                "last_error": box.last_error,
            }
            for name, box in self.boxes.items()
        }

    async def _bring(self, name: str, box: Outbox) -> None:
        while box.waiting:
            message = box.waiting[0]
            arrived = await self._with_patience(name, box, message)
            box.lost += not arrived
            if box.waiting and box.waiting[0] is message:  # else it made room meanwhile
                box.waiting.popleft()

    async def _with_patience(self, name: str, box: Outbox, message: Message) -> bool:
        for pause_s in (*PAUSES_S, None):
            try:
                await self._try(box, message)
            except NotDelivered as error:
                if error.again and pause_s is not None:
                    await self.clock.sleep(pause_s)
                    continue
                log.warning("an alert for %s is lost: %s", name, error.message)
                return False
            else:
                return True
        return False

    async def _try(self, box: Outbox, message: Message) -> None:
        try:
            await self._send(await self._target(box), message)
        except NotDelivered as error:
            box.last_error = error.message
            raise
        box.sent += 1
        box.last_at, box.last_error = self.clock.now(), None

    async def _target(self, box: Outbox) -> Target:
        """The target, its reference resolved."""
        where = box.where
        try:
            if where.startswith(("env:", "file:")):
                where = (await asyncio.to_thread(self.secrets.resolve, where)).reveal().strip()
            return target_of(where)
        except SecretError as error:
            raise NotDelivered(f"its URL cannot be read: {error.message}") from None
        except ValueError as error:
            raise NotDelivered(f"its URL {error}", again=False) from None

    async def _send(self, target: Target, message: Message) -> None:
        if target.form == "apprise":
            await self._by_apprise(target, message)
            return
        headers, body = request_of(target, message)
        agent = f"maxpool/{self.version}".encode()
        reply = await self.reach.send(
            Call(
                method="POST",
                url=target.url,
                headers=[*headers, (b"user-agent", agent)],
                body=body,
                connect_timeout_s=TIMEOUT_S,
                header_timeout_s=TIMEOUT_S,
                idle_timeout_s=TIMEOUT_S,
            )
        )
        if isinstance(reply, Unreachable):
            raise NotDelivered(f"{target.label} could not be reached ({reply.kind})")
        await reply.stream.aclose()
        if not 200 <= reply.status < 300:
            again = reply.status >= 500 or reply.status in AGAIN
            raise NotDelivered(f"{target.label} answered with {reply.status}", again=again)

    async def _by_apprise(self, target: Target, message: Message) -> None:
        try:
            arrived = await self.apprise(target.url, message.title, message.text)
        except MaxpoolError as error:
            raise NotDelivered(error.message, again=False) from None
        except Exception as error:  # noqa: BLE001 - whatever a foreign library raises is one lost try
            raise NotDelivered(f"{target.label} failed ({describe(error)})") from None
        if not arrived:
            raise NotDelivered(f"{target.label} did not take it")
