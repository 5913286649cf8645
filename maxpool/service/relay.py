"""Relaying an answer: late commit, bytes unchanged, broken ends visible, usage counted on the way.

Nothing of an answer reaches the caller before it is worth keeping: a stream's first content, or a
whole JSON body that parses. Until then a failure is a value (`Failed`) and another account can try.
A chunk is taken from the upstream only after the caller took the one before, so a slow caller never
makes a stream pile up here.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maxpool.core.lease import (
    Cut,
    Garbage,
    NetworkFailure,
    Outcome,
    Success,
    TokenUsage,
)
from maxpool.core.rejected import OF_THE_REQUEST
from maxpool.errors import StreamCut
from maxpool.service.downstream import JSON
from maxpool.service.passage import STRAIGHT
from maxpool.service.retry import Failed
from maxpool.wire.encoding import Decoder
from maxpool.wire.meter import Meter
from maxpool.wire.replies import sse_error
from maxpool.wire.sse import Scanner
from maxpool.wire.verdict import classify_error_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.ports import RawHeaders, Reply
    from maxpool.service.downstream import Downstream
    from maxpool.service.limits import Limits
    from maxpool.service.passage import Both, Passage
    from maxpool.wire.chat_meter import ChatMeter
    from maxpool.wire.strip import EventFilter
    from maxpool.wire.translation import AnswerReader
    from maxpool.wire.verdict_provider import Failures

CUT_MESSAGE = "The upstream ended this answer before it was complete."


@dataclass(slots=True)
class Relay:
    """One reply on its way to one caller."""

    reply: Reply
    down: Downstream
    limits: Limits
    model: str
    headers: RawHeaders
    content_type: str
    encoding: str
    checked: bool = True  # False: an answer whose form is not known, passed on as it is
    plain: bool = False
    meter: Meter | ChatMeter = field(default_factory=Meter)
    scanner: Scanner = field(default_factory=Scanner)
    failures: Failures | None = None  # how errors are read, where they are another vendor's
    cost_usd: float | None = None  # as a header said; the answer itself may know better
    streaming: bool = True  # what the caller asked for; only a translator needs to be told
    passage: Passage = STRAIGHT
    inward: AnswerReader | None = None  # makes Messages of another API's answer
    edit: EventFilter | Both | None = None  # what a stream goes through
    reader: Callable[[bytes], bytes] | None = None  # of a whole answer: gives what goes on
    held: list[tuple[bytes, bytes]] = field(default_factory=list)  # as it came, and as read
    held_bytes: int = 0
    decoder: Decoder | None = field(init=False)  # None: an encoding that cannot be read

    def __post_init__(self) -> None:
        self.decoder = Decoder.of(self.encoding)

    async def run(self) -> Outcome | Failed:
        """Relay the whole answer; `Failed` only while nothing of it has reached the caller."""
        if not self.checked:
            return await self._pass_on([])
        streams = self.content_type.lower().startswith("text/event-stream")
        if self._turned and streams and not self.streaming:
            return Failed(Garbage("stream"))  # nobody asked for one
        if streams or (self.inward is not None and self.streaming):
            if self.down.promised == JSON:
                return Failed(Garbage("stream"))
            return await self._stream()
        return await self._whole()

    @property
    def _turned(self) -> bool:
        """Whether the answer changes its API on the way: then it must be read, or it is none."""
        return self.inward is not None or not self.passage.native

    @property
    def usage(self) -> TokenUsage:
        """Tokens seen so far."""
        return self._priced(self.meter.usage)

    def _priced(self, usage: TokenUsage) -> TokenUsage:
        if usage.cost_usd is not None or self.cost_usd is None:
            return usage
        return replace(usage, cost_usd=self.cost_usd)

    # -- streams ---------------------------------------------------------------------------------

    async def _stream(self) -> Outcome | Failed:
        if self.decoder is None:
            if self._turned:
                return Failed(Garbage("encoding"))
            self.edit = None  # what cannot be read passes as it is
        holding = True
        try:
            async for chunk in self.reply.stream:
                text = self._take(chunk)
                if not holding:
                    await self._write(text if self.plain else chunk)
                elif self._unreadable():
                    return Failed(Garbage("encoding"))
                elif self._keep(chunk, text):
                    await self._commit()
                    holding = False
                elif self.meter.error is not None:
                    return self._error_first()
            if self.inward is not None:
                await self._take_last(self.inward, holding=holding)
        except StreamCut as cut:
            return Failed(NetworkFailure(cut.kind)) if holding else await self._cut()
        return await (self._ended_early() if holding else self._ended())

    def _take(self, chunk: bytes) -> bytes:
        """Read a chunk along, and give what the caller is to see of it."""
        text = self.decoder.feed(chunk) if self.decoder is not None else b""
        if self.inward is not None:
            text = self.inward.feed(text)
        self._scan(text)
        return text if self.edit is None else self.edit.feed(text)

    async def _take_last(self, inward: AnswerReader, *, holding: bool) -> None:
        """The upstream's body ended: with it come the last events of an answer that was translated."""
        text = inward.end()
        self._scan(text)
        text = text if self.edit is None else self.edit.feed(text)
        if holding:
            self.held.append((text, text))
        else:
            await self._write(text)

    def _unreadable(self) -> bool:
        """Whether it cannot be read, or (once headers have promised what can be) may not be passed on."""
        return self.down.started if self.decoder is None else self.decoder.broken

    def _keep(self, chunk: bytes, text: bytes) -> bool:
        """Hold a chunk back; whether what is held is worth sending now."""
        self.held.append((chunk, text))
        self.held_bytes += max(len(chunk), len(text))
        return self._worth(self.held_bytes, metered=self.decoder is not None)

    def _scan(self, text: bytes) -> None:
        for event in self.scanner.feed(text):
            self.meter.feed(event)

    def _worth(self, size: int, *, metered: bool) -> bool:
        if not metered or self.meter.has_content or size > self.limits.hold_bytes:
            return True
        return self.meter.complete and self.meter.error is None and not self._silent

    @property
    def _silent(self) -> bool:
        """Whether another vendor's answer is over and says nothing: that is a failure of its own."""
        return self.failures is not None and self.meter.silent

    async def _commit(self) -> None:
        # Headers that went out early promised identity; otherwise bytes go on as they came.
        changed = self.edit is not None or self._turned
        self.plain = changed or (self.down.started and self._encoded)
        headers = self.headers
        if self.plain:
            headers = [h for h in headers if h[0].lower() != b"content-encoding"]
        self.down.turns = not self.passage.native
        await self.down.start(self.reply.status, headers)
        held, self.held = self.held, []
        await self._write(b"".join(text if self.plain else chunk for chunk, text in held))

    @property
    def _encoded(self) -> bool:
        """Whether the upstream's bytes are not the text itself."""
        return self.decoder is None or self.decoder.encoded

    @property
    def _unread(self) -> bool:
        """Whether only the upstream's own framing can tell if the answer is whole."""
        return self.decoder is None or (self.decoder.overlong and not self.plain)

    async def _write(self, data: bytes) -> None:
        if data:
            await self.down.write(data)

    async def _flush(self) -> None:
        """Send what the filter still holds, before the answer ends."""
        if self.edit is not None:
            await self._write(self.edit.end())

    def _error_first(self) -> Failed:
        data = self.meter.error or b""
        told = data if self.inward is not None else self.passage.error(0, data)
        outcome = classify_error_event(told, self.model, self.failures)
        if isinstance(outcome, OF_THE_REQUEST):  # the caller's own fault, in the upstream's words
            return Failed(outcome, outcome.status, ((b"content-type", b"application/json"),), data)
        return Failed(outcome, 0, (), data)

    async def _ended_early(self) -> Outcome | Failed:
        """The stream ended before content: an answer only if it says that it is complete."""
        if self._silent:
            return Failed(Garbage("empty"))
        if self.meter.stopped and self.meter.error is None:
            await self._commit()
            return await self._ended()
        if self.meter.error is not None:
            return self._error_first()
        return Failed(Garbage("no_event"))

    async def _ended(self) -> Outcome:
        await self._flush()
        if self.meter.complete or self._unread:
            await self.down.finish()
            return Success(self.usage)
        if self.meter.error is not None:  # the upstream has said it in its own words
            await self.down.finish()
            return Cut(self.usage)
        return await self._cut()

    async def _cut(self) -> Outcome:
        """Show a broken answer as broken, in the way from which clients recover best.

        Inside a block the connection is dropped (the caller repeats the request); between blocks
        an `overloaded_error` event lets it keep the finished ones and go on. Other APIs: `Downstream`.
        """
        await self._flush()
        if self.meter.complete:
            await self.down.finish()
            return Success(self.usage)
        opaque = self._encoded and not self.plain  # no event can be put behind half a coding
        half = self.scanner.pending and self.inward is None and not self.down.turns
        if half or opaque or self.down.drops_cuts(in_block=self.meter.in_block):
            self.down.abort()
        else:
            await self.down.fail(sse_error("overloaded_error", CUT_MESSAGE))
        return Cut(self.usage)

    # -- whole bodies ----------------------------------------------------------------------------

    async def _whole(self) -> Outcome | Failed:
        held: list[bytes] = []
        size = 0
        try:
            async for chunk in self.reply.stream:
                held.append(chunk)
                size += len(chunk)
                if size <= self.limits.hold_json_bytes:
                    continue
                if self._turned or (
                    self.down.promised and (self._encoded or self.down.promised != JSON)
                ):
                    return Failed(Garbage("json"))  # not as it was promised
                return await self._pass_on(held)
        except StreamCut as cut:
            return Failed(NetworkFailure(cut.kind))
        return await self._say(b"".join(held))

    async def _say(self, body: bytes) -> Outcome | Failed:
        """Judge a whole answer, and send it."""
        text = self._inward(self._text(body))
        outcome = self._judge(text)
        if isinstance(outcome, Garbage):
            return Failed(outcome, self.reply.status, self.headers, body)
        outcome = Success(self._priced(outcome.usage))
        if self.down.promised:
            # Not as a stream, where that was promised, and with no encoding in any case.
            if self.down.promised != JSON or not isinstance(text, bytes):
                return Failed(Garbage("json"))
            body = text
        try:
            headers, body = self._read(body, text)
        except ValueError:
            return Failed(Garbage("json"))
        await self.down.start(self.reply.status, headers)
        await self.down.end(body)
        return outcome

    def _read(self, body: bytes, text: bytes | Garbage | None) -> tuple[RawHeaders, bytes]:
        """The answer as it goes on, after the reader has seen it: the same bytes unless it said so.

        Raises `ValueError` for one that cannot be told in the client's own form.
        """
        if not isinstance(text, bytes):
            return self.headers, body
        edited = text if self.reader is None else self.reader(text)
        edited = self.down.whole(edited) if self._turned else self.passage.echo(edited)
        if edited == text and not self._turned:
            return self.headers, body
        ours = (b"content-encoding", b"content-length")
        headers = [h for h in self.headers if h[0].lower() not in ours]
        return [*headers, (b"content-length", str(len(edited)).encode())], edited

    def _inward(self, text: bytes | Garbage | None) -> bytes | Garbage | None:
        """The same as an answer of the Messages API, where it is another's."""
        if self.inward is None or not isinstance(text, bytes):
            return text
        judged = self.passage.judge(self.content_type, text)
        if isinstance(judged, Garbage) and judged.kind in ("empty", "html"):
            return judged  # nothing that a translator could say more of
        try:
            return self.inward.whole(text)
        except ValueError:
            return Garbage("json")

    def _text(self, body: bytes) -> bytes | Garbage | None:
        """The decoded answer; None where it cannot be read, and is passed on as it came."""
        decoder = self.decoder
        if decoder is None:
            return None  # an encoding nobody asked for
        text = decoder.feed(body)
        if decoder.overlong:
            return None
        return text if decoder.complete else Garbage("truncated")

    def _judge(self, text: bytes | Garbage | None) -> Success | Garbage:
        if text is None:
            return Garbage("encoding") if self._turned else Success()
        if isinstance(text, Garbage):
            return text
        return self.passage.judge(self.content_type, text, gated=self.failures is not None)

    async def _pass_on(self, held: list[bytes]) -> Outcome:
        """An answer too long to check: relayed as it comes."""
        await self.down.start(self.reply.status, self.headers)
        await self.down.write(b"".join(held))
        try:
            async for chunk in self.reply.stream:
                await self.down.write(chunk)
        except StreamCut:
            self.down.abort()
            return Cut(self.usage)
        await self.down.finish()
        return Success(self.usage)


async def error_body(reply: Reply, limits: Limits) -> tuple[bytes, bool]:
    """What came of an error answer within bounds, and whether that is all of it.

    A part is enough to tell what it was.
    """
    parts: list[bytes] = []
    size = 0
    with suppress(StreamCut, TimeoutError):
        async with asyncio.timeout(limits.error_body_s):
            async for chunk in reply.stream:
                parts.append(chunk)
                size += len(chunk)
                if size > limits.error_body_bytes:
                    break
            else:
                return b"".join(parts), True
    return b"".join(parts), False
