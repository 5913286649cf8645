"""The upstream side of Chat Completions: `CHAT_DIALECT`, and its streams as Messages streams.

Services differ in what they leave out (indices, ids, names, `[DONE]`, usage) and in what they repeat:
all of that is read here; `wire/from_chat_blocks` opens and closes the blocks. An answer that was
asked for as a stream and comes whole becomes a stream when it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.wire.as_stream import as_stream, event
from maxpool.wire.blocks import JUNK
from maxpool.wire.from_chat_blocks import Blocks
from maxpool.wire.from_chat_errors import broken_event, error_body, error_event
from maxpool.wire.from_chat_parts import (
    BROKEN,
    Asked,
    calls_of,
    envelope,
    first_choice,
    stop_of,
    texts_of,
    usage_of,
    whole_answer,
)
from maxpool.wire.sse import Scanner
from maxpool.wire.to_chat import chat_request
from maxpool.wire.translation import CHAT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.wire.sse import Event
    from maxpool.wire.translation import AnswerReader, Dialect, Format

Json = dict[str, Any]

MAX_WHOLE_BYTES: Final = 64 * 1024 * 1024
"""The most of a whole answer that is kept where a stream was asked for."""

_DONE: Final = b"[DONE]"


class WholeReader:
    """An answer that comes whole: kept to its end, and written as a stream where one was asked for."""

    __slots__ = ("_held", "_size", "_translate")

    def __init__(self, translate: Callable[[bytes], bytes]) -> None:
        self._translate = translate
        self._held: list[bytes] = []
        self._size = 0

    def whole(self, body: bytes) -> bytes:
        """The Messages answer; raises `ValueError` for what is none."""
        return self._translate(body)

    def feed(self, chunk: bytes) -> bytes:
        """Keep what came; nothing is written before the end."""
        self._size += len(chunk)
        if self._size <= MAX_WHOLE_BYTES:
            self._held.append(chunk)
        return b""

    def end(self) -> bytes:
        """The answer as a stream; an error as its event; nothing for what is neither."""
        if self._size > MAX_WHOLE_BYTES:
            return b""
        body = b"".join(self._held)
        try:
            return as_stream(self._translate(body))
        except ValueError:
            told = _decoded(body)
        failed = isinstance(told, dict) and bool(told.get("error"))
        return error_event(told) if failed else b""


class ChatReader:
    """One answer of a service that speaks Chat Completions."""

    __slots__ = (
        "_asked",
        "_begun",
        "_blocks",
        "_done",
        "_finish",
        "_scanner",
        "_settled",
        "_usage",
        "_whole",
    )

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._scanner = Scanner()
        self._blocks: Blocks | None = None  # None: nothing was said yet
        self._whole: WholeReader | None = None
        self._usage: object = None
        self._finish: tuple[str, object] | None = None
        self._begun = False
        self._settled = False
        self._done = False

    def whole(self, body: bytes) -> bytes:
        """The Messages answer for a whole completion; raises `ValueError` for what is none."""
        return whole_answer(body, self._asked)

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes of the stream as Messages events."""
        if not self._begun and (start := chunk.lstrip()[:1]):
            self._begun = True
            self._whole = WholeReader(self.whole) if start == b"{" else None
        if self._whole is not None:
            return self._whole.feed(chunk)
        return self._read(chunk)

    def end(self) -> bytes:
        """What closes the answer; nothing where it was never said to be complete."""
        if self._whole is not None:
            return self._whole.end()
        out = self._read(b"\n\n", last=True)  # some services leave out the last blank line
        if self._done or self._finish is None:
            return out
        return out + self._close()

    def _read(self, chunk: bytes, *, last: bool = False) -> bytes:
        if self._done:
            return b""
        out = []
        for found in self._scanner.feed(chunk):
            out.append(self._event(found, last=last))
            if self._done:
                return b"".join(out)
        if self._scanner.overflowed:
            out.append(self._fail("the upstream sent an event that is too large"))
        return b"".join(out)

    def _event(self, found: Event, *, last: bool) -> bytes:
        data = found.data.strip()
        if data == _DONE:
            return self._close() if self._finish is not None or self._said else b""
        told = _decoded(data) if data else {}
        if told is None and data != b"null":
            # At the very end it is half an event, which is what a cut looks like.
            return b"" if last else self._fail("the upstream sent an event that is no JSON")
        if not isinstance(told, dict):
            return b""
        if told.get("error") or found.name == "error":
            self._done = True
            return error_event(told)
        return self._chunk(told)

    def _chunk(self, told: Json) -> bytes:
        usage, choice = told.get("usage"), first_choice(told)
        if usage:
            self._usage = usage
        if not choice:
            # Usage by itself is the last word of those services that send it.
            return self._settle() if usage and self._finish is not None else b""
        out = self._begin() if self._blocks is None else b""
        blocks = self._blocks
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict) and blocks is not None and not self._settled:
            self._delta(delta, blocks)
            out += self._written(blocks)
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish and self._finish is None:
            if finish in BROKEN:
                return out + self._fail(f"the upstream ended with {finish}", BROKEN[finish])
            self._finish = (finish, choice.get("stop_reason"))
        return out

    def _delta(self, delta: Json, blocks: Blocks) -> None:
        thought, text = texts_of(delta)
        if thought and self._asked.shows:
            blocks.say("thinking", thought)
        if text:
            blocks.say("text", text)
        if delta.get("tool_calls") or delta.get("function_call"):
            for call in calls_of(delta):
                blocks.call(call)

    def _begin(self) -> bytes:
        self._blocks = Blocks(self._asked)
        message = envelope(self._asked, [], usage_of(self._usage))
        return event("message_start", {"message": message})

    @property
    def _said(self) -> bool:
        """Whether anything was said; then `[DONE]` alone ends it well."""
        return self._blocks is not None and self._blocks.any

    def _close(self) -> bytes:
        out = self._settle()
        if self._done:
            return out
        self._done = True
        return out + event("message_stop", {})

    def _settle(self) -> bytes:
        """Close the blocks, and say why it ended and what it took: once."""
        blocks = self._blocks
        if self._settled or blocks is None:
            return b""
        self._settled = True
        whole = blocks.close()
        out = self._written(blocks)
        if not whole:
            return out + self._fail("the upstream sent a tool call without a name")
        finish, stopped_at = self._finish or ("stop", None)
        delta = stop_of(finish, stopped_at, calls=bool(blocks.calls), asked=self._asked)
        told = {"delta": delta, "usage": usage_of(self._usage)}
        return out + event("message_delta", told)

    def _fail(self, message: str, kind: str = "api_error") -> bytes:
        self._done = True
        return broken_event(kind, message)

    @staticmethod
    def _written(blocks: Blocks) -> bytes:
        out, blocks.out = blocks.out, []
        return b"".join(out)


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except JUNK:
        return None


class _ChatDialect:
    """Satisfies `translation.Dialect`."""

    name: Format = CHAT
    path = "/v1/chat/completions"

    def request(self, body: bytes, *, model: str, options: Mapping[str, object]) -> bytes:
        return chat_request(body, model=model, options=options)

    def reader(self, body: bytes, *, model: str, request_id: str) -> AnswerReader:
        return ChatReader(Asked.of(body, model=model, request_id=request_id))

    def error(self, status: int, body: bytes) -> bytes:
        return error_body(status, body)


CHAT_DIALECT: Final[Dialect] = _ChatDialect()
