"""A Messages answer as a Responses answer, whole or streamed; and `RESPONSES_SURFACE`.

Reads the bytes; what they become is `responses_stream`'s part, for both forms alike: a whole answer
is a stream whose last event is kept. Events that are broken or unknown are passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.wire import responses_request
from maxpool.wire.openai_errors import openai_error
from maxpool.wire.responses_output import Asked
from maxpool.wire.responses_parts import decode_delta
from maxpool.wire.responses_stream import Block, ResponseStream
from maxpool.wire.sse import Scanner
from maxpool.wire.translation import RESPONSES

if TYPE_CHECKING:
    from maxpool.wire.replies import Answer
    from maxpool.wire.sse import Event
    from maxpool.wire.translation import AnswerWriter, Format, Surface

HEARTBEAT: Final = b'event: keepalive\ndata: {"type":"keepalive","sequence_number":0}\n\n'
MAX_EVENT_BYTES: Final = 32 * 1024 * 1024
"""One event of an answer; the largest answer a model can write is far below."""


class _Start(msgspec.Struct, gc=False):
    content_block: Block


class _Whole(msgspec.Struct, gc=False):
    content: list[Block]
    id: Any = None
    usage: Any = None
    stop_reason: str | None = None
    stop_details: Any = None


_decode_start: Final = msgspec.json.Decoder(_Start).decode
_decode_whole: Final = msgspec.json.Decoder(_Whole).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, Any]).decode
_encode: Final = msgspec.json.encode
_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ResponsesWriter:
    """One answer on its way to a Responses client."""

    __slots__ = ("_asked", "_request_id", "_scanner", "_stream")

    def __init__(self, body: bytes, *, request_id: str, now: float) -> None:
        self._asked = Asked.of(body, now)
        self._request_id = request_id
        self._stream = ResponseStream(self._asked, request_id)
        self._scanner = Scanner(MAX_EVENT_BYTES)

    def whole(self, body: bytes) -> bytes:
        """The response object; raises `ValueError` for what is no Messages answer."""
        try:
            told = _decode_whole(body)
        except _JUNK as broken:
            raise ValueError(f"no Messages answer: {broken}") from broken
        stream = ResponseStream(self._asked, self._request_id)
        stream.start({"id": told.id, "usage": told.usage})
        for block in told.content:
            stream.block(block)
        reason = told.stop_reason or "end_turn"
        stream.delta({"delta": {"stop_reason": reason, "stop_details": told.stop_details}})
        stream.finish()
        return _encode(stream.response)

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes of a Messages event stream as Responses events."""
        for event in self._scanner.feed(chunk):
            if not self._stream.ended:
                self._take(event)
        return self._stream.events.taken()

    def end(self) -> bytes:
        """The last event, for an upstream that ended after its stop reason without saying so."""
        self._stream.finish()
        return self._stream.events.taken()

    def _take(self, event: Event) -> None:
        stream = self._stream
        try:
            if event.name == "content_block_delta":
                stream.add(decode_delta(event.data).delta)
            elif event.name == "content_block_start":
                stream.block(_decode_start(event.data).content_block)
            elif event.name == "message_start":
                stream.start(_decode_object(event.data).get("message") or {})
            elif event.name == "message_delta":
                stream.delta(_decode_object(event.data))
            else:
                self._signal(event)
        except _JUNK:
            return

    def _signal(self, event: Event) -> None:
        """The events without content."""
        if event.name == "message_stop":
            self._stream.finish()
        elif event.name == "error":
            self._stream.fail(event.data)
        elif event.name == "ping":
            self._stream.ping()


class _ResponsesSurface:
    """OpenAI Responses as a client format."""

    name: Format = RESPONSES
    heartbeat: bytes = HEARTBEAT

    def request(self, body: bytes) -> bytes:
        return responses_request.request(body)

    def writer(self, body: bytes, *, request_id: str, now: float) -> AnswerWriter:
        return ResponsesWriter(body, request_id=request_id, now=now)

    def error(self, answer: Answer) -> Answer:
        return openai_error(answer)


RESPONSES_SURFACE: Final[Surface] = _ResponsesSurface()
