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
    RequestRejected,
    Success,
    TokenUsage,
)
from maxpool.errors import StreamCut
from maxpool.service.downstream import JSON
from maxpool.service.retry import Failed
from maxpool.wire.encoding import Decoder
from maxpool.wire.meter import Meter
from maxpool.wire.replies import sse_error
from maxpool.wire.sse import Scanner
from maxpool.wire.verdict import classify_answer, classify_error_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.ports import RawHeaders, Reply
    from maxpool.service.downstream import Downstream
    from maxpool.service.limits import Limits
    from maxpool.wire.strip import EventFilter

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
    meter: Meter = field(default_factory=Meter)
    scanner: Scanner = field(default_factory=Scanner)
    cost_usd: float | None = None  # as a header said; the answer itself may know better
    strip: EventFilter | None = None
    reader: Callable[[bytes], bytes] | None = None  # of a whole answer: gives what goes on
    decoder: Decoder | None = field(init=False)  # None: an encoding that cannot be read

    def __post_init__(self) -> None:
        self.decoder = Decoder.of(self.encoding)

    async def run(self) -> Outcome | Failed:
        """Relay the whole answer; `Failed` only while nothing of it has reached the caller."""
        if not self.checked:
            return await self._pass_on([])
        if self.content_type.lower().startswith("text/event-stream"):
            if self.down.promised == JSON:
                return Failed(Garbage("stream"))
            return await self._stream()
        return await self._whole()

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
        decoder = self.decoder
        if decoder is None:
            self.strip = None  # what cannot be read passes as it is
        held: list[tuple[bytes, bytes]] = []
        holding, size = True, 0
        try:
            async for chunk in self.reply.stream:
                text = decoder.feed(chunk) if decoder is not None else b""
                self._scan(text)
                text = self.strip.feed(text) if self.strip is not None else text
                if not holding:
                    await self._write(text if self.plain else chunk)
                    continue
                if decoder is None and self.down.started:
                    return Failed(Garbage("encoding"))  # nobody can read it as it was promised
                if decoder is not None and decoder.broken:
                    return Failed(Garbage("encoding"))
                held.append((chunk, text))
                size += max(len(chunk), len(text))
                if self._worth(size, metered=decoder is not None):
                    await self._commit(held)
                    holding = False
                    held.clear()
                elif self.meter.error is not None:
                    return self._error_first()
        except StreamCut as cut:
            return Failed(NetworkFailure(cut.kind)) if holding else await self._cut()
        return await (self._ended_early(held) if holding else self._ended())

    def _scan(self, text: bytes) -> None:
        for event in self.scanner.feed(text):
            self.meter.feed(event)

    def _worth(self, size: int, *, metered: bool) -> bool:
        if not metered or self.meter.has_content or size > self.limits.hold_bytes:
            return True
        return self.meter.complete and self.meter.error is None

    async def _commit(self, held: list[tuple[bytes, bytes]]) -> None:
        # Headers that went out early promised identity; otherwise bytes go on as they came.
        self.plain = self.strip is not None or (self.down.started and self._encoded)
        headers = self.headers
        if self.plain:
            headers = [h for h in headers if h[0].lower() != b"content-encoding"]
        await self.down.start(self.reply.status, headers)
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
        if self.strip is not None:
            await self._write(self.strip.end())

    def _error_first(self) -> Failed:
        data = self.meter.error or b""
        outcome = classify_error_event(data, self.model)
        if isinstance(outcome, RequestRejected):  # the caller's own fault, in the upstream's words
            return Failed(outcome, outcome.status, ((b"content-type", b"application/json"),), data)
        return Failed(outcome, 0, (), data)

    async def _ended_early(self, held: list[tuple[bytes, bytes]]) -> Outcome | Failed:
        """The stream ended before content: an answer only if it says that it is complete."""
        if self.meter.stopped and self.meter.error is None:
            await self._commit(held)
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
        an `overloaded_error` event lets it keep the finished ones and go on.
        """
        await self._flush()
        if self.meter.complete:
            await self.down.finish()
            return Success(self.usage)
        opaque = self._encoded and not self.plain  # no event can be put behind half a coding
        if self.meter.in_block or self.scanner.pending or opaque:
            self.down.abort()
        else:
            await self.down.finish(sse_error("overloaded_error", CUT_MESSAGE))
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
                if self.down.promised and (self._encoded or self.down.promised != JSON):
                    return Failed(Garbage("json"))  # not as it was promised
                return await self._pass_on(held)
        except StreamCut as cut:
            return Failed(NetworkFailure(cut.kind))
        body = b"".join(held)
        text = self._text(body)
        outcome = self._judge(text)
        if isinstance(outcome, Garbage):
            return Failed(outcome, self.reply.status, self.headers, body)
        outcome = Success(self._priced(outcome.usage))
        if self.down.promised:
            # Not as a stream, where that was promised, and with no encoding in any case.
            if self.down.promised != JSON or not isinstance(text, bytes):
                return Failed(Garbage("json"))
            body = text
        headers, body = self._read(body, text)
        await self.down.start(self.reply.status, headers)
        await self.down.finish(body)
        return outcome

    def _read(self, body: bytes, text: bytes | Garbage | None) -> tuple[RawHeaders, bytes]:
        """The answer as it goes on, after the reader has seen it: the same bytes unless it said so."""
        if self.reader is None or not isinstance(text, bytes):
            return self.headers, body
        edited = self.reader(text)
        if edited == text:
            return self.headers, body
        ours = (b"content-encoding", b"content-length")
        headers = [h for h in self.headers if h[0].lower() not in ours]
        return [*headers, (b"content-length", str(len(edited)).encode())], edited

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
            return Success()
        return text if isinstance(text, Garbage) else classify_answer(self.content_type, text)

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
