"""What lies between a client and an account that may speak another API: the request's way, and the answer's.

Chosen for each try, by the client's format and the account's. Where both are the same, bytes pass as they
are, but for the model's name where the account has another one. How translation is done is `wire`'s.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from maxpool.core.values import value
from maxpool.wire.body import plain
from maxpool.wire.chat_meter import ChatMeter, judge_chat
from maxpool.wire.echo import Echo, with_shown
from maxpool.wire.from_chat import CHAT_DIALECT
from maxpool.wire.generate import GENERATE_DIALECT
from maxpool.wire.headers import fields as header_fields
from maxpool.wire.meter import Meter
from maxpool.wire.rename import with_model, without_limit
from maxpool.wire.strip import EventFilter
from maxpool.wire.translation import ANTHROPIC, CHAT, GENERATE
from maxpool.wire.verdict import classify_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.lease import Garbage, Success
    from maxpool.ports import Destination
    from maxpool.service.job import Job
    from maxpool.service.limits import Limits
    from maxpool.wire.translation import AnswerReader, Dialect

DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {CHAT: CHAT_DIALECT, GENERATE: GENERATE_DIALECT}
)
"""How accounts are spoken to that do not speak Messages, by their `format`."""


@value(frozen=True, slots=True)
class Passage:
    """One request's way to one account, and back.

    `dialect`: how its upstream is spoken to, None where it speaks Messages. `native`: the client's own
    format. `model`: what the upstream calls it; `shown`: what the client sees instead, None where that
    is the same.
    """

    dialect: Dialect | None
    native: bool
    model: str
    shown: str | None = None

    @property
    def reads(self) -> bool:
        """Whether the upstream's answer is turned into one of the Messages API."""
        return self.dialect is not None and not self.native

    @property
    def edits(self) -> bool:
        """Whether anything of the answer is changed: then it is asked for without an encoding."""
        return self.shown is not None or not self.native or self.reads

    def body(self, job: Job, destination: Destination, limits: Limits) -> bytes:
        """What is sent; raises `Uncarried` where the account's format has no place for it."""
        if self.native and job.surface is not None:
            return job.asked if self.shown is None else with_model(job.asked, self.model)
        if self.native and self.shown is None:
            return job.body
        text = decoded(job, limits)
        if self.dialect is None:
            return text if self.shown is None else with_model(text, self.model)
        if job.surface is not None and job.request.max_output_tokens is None:
            text = without_limit(text)
        return self.dialect.request(text, model=self.model, options=destination.body)

    def reader(self, job: Job, limits: Limits) -> AnswerReader | None:
        """What turns the answer into one of the Messages API, where it is none."""
        if self.dialect is None or self.native:
            return None
        return self.dialect.reader(
            decoded(job, limits), model=job.request.model, request_id=job.request_id
        )

    def meter(self, destination: Destination) -> Meter | ChatMeter:
        """What counts an answer that is a stream."""
        if self.dialect is not None and self.native:
            return ChatMeter()
        return Meter(destination.cost_event)

    def judge(self, content_type: str, body: bytes, *, gated: bool = False) -> Success | Garbage:
        """Whether a whole answer, in the form in which the relay has it, is one."""
        if self.dialect is not None and self.native:
            return judge_chat(content_type, body, gated=gated)
        return classify_answer(content_type, body, gated=gated)

    def edit(self, destination: Destination) -> EventFilter | Both | None:
        """What a stream goes through on its way to the client; None where nothing is changed."""
        strip = EventFilter(destination.strip_events) if destination.strip_events else None
        if self.shown is None or not self.native:
            return strip
        echo = Echo(self.shown, each=self.dialect is not None)
        return echo if strip is None else Both(strip, echo)

    def echo(self, answer: bytes) -> bytes:
        """A whole answer with the model that the client asked for."""
        return answer if self.shown is None or not self.native else with_shown(answer, self.shown)

    def error(self, status: int, body: bytes) -> bytes:
        """An error answer in the Messages envelope, whoever sent it."""
        return body if self.dialect is None else self.dialect.error(status, body)


class Both:
    """One filter after another."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: EventFilter, second: EventFilter) -> None:
        self._first, self._second = first, second

    def feed(self, chunk: bytes) -> bytes:
        """As `EventFilter.feed`."""
        return self._second.feed(self._first.feed(chunk))

    def end(self) -> bytes:
        """As `EventFilter.end`."""
        return self._second.feed(self._first.end()) + self._second.end()


def passage_of(job: Job, destination: Destination, model: str) -> Passage:
    """The way to an account whose upstream calls the model `model`."""
    asked = job.request.model
    shown = asked if asked and model != asked else None
    if job.surface is None and destination.format == ANTHROPIC:
        return STRAIGHT if shown is None else Passage(None, True, model, shown)
    spoken = ANTHROPIC if job.surface is None else job.surface.name
    dialect = DIALECTS.get(destination.format)
    return Passage(dialect, spoken == destination.format, model, shown)


STRAIGHT: Final = Passage(None, True, "")
"""Messages to Messages, under the client's own name for the model: nothing is changed."""


def decoded(job: Job, limits: Limits) -> bytes:
    """The Messages request as plain JSON."""
    if job.surface is not None:
        return job.body
    encoding = header_fields(job.headers).get("content-encoding", "")
    return plain(job.body, encoding, limits.max_decoded_bytes) if encoding else job.body
