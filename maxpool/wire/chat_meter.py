"""Token usage and progress of one Chat Completions answer that is passed on as it is.

`ChatMeter` watches a stream like `wire/meter.Meter` watches one of Messages, with the same flags;
`chat_usage_in` and `judge_chat` read whole answers. Nothing is changed here, and nothing decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from maxpool.core.lease import Garbage, Success, TokenUsage
from maxpool.wire.blocks import JUNK
from maxpool.wire.from_chat_parts import usage_of
from maxpool.wire.meter import cost_usd

if TYPE_CHECKING:
    from maxpool.wire.sse import Event

MAX_CHOICES: Final = 128
"""Answers to one request that are told apart: as many as OpenAI's API gives."""

_DONE: Final = b"[DONE]"


class _Delta(msgspec.Struct, gc=False):
    content: object = None
    reasoning_content: object = None
    reasoning: object = None
    refusal: object = None
    tool_calls: object = None
    function_call: object = None

    @property
    def says(self) -> bool:
        """Whether any of the answer is in it."""
        return bool(
            self.content
            or self.tool_calls
            or self.reasoning_content
            or self.reasoning
            or self.refusal
            or self.function_call
        )


class _Choice(msgspec.Struct, gc=False):
    index: int | None = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    id: object = None
    model: object = None
    choices: list[_Choice] | None = None
    usage: object = None
    error: object = None


_decode: Final = msgspec.json.Decoder(_Chunk).decode


class ChatMeter:
    """Watches one Chat stream: the same attributes as `wire/meter.Meter`, and what they mean here.

    `in_block`: something was said and no reason to stop yet; then a cut must not look like an end.
    `error`: the data of an error in the stream. `container_id`: never any. `silent`: it ended of its own
    accord without a word or a call.
    """

    __slots__ = (
        "_first_stopped",
        "_open",
        "_usage",
        "container_id",
        "ended",
        "error",
        "events",
        "has_content",
        "message_id",
        "model",
        "silent",
        "stopped",
    )

    def __init__(self) -> None:
        self._usage: object = None
        self._open: set[int] = set()  # choices besides the first that have not said why they stop
        self.events = 0
        self.has_content = False
        self._first_stopped = False
        self.stopped = False
        self.silent = False
        self.ended = False
        self.error: bytes | None = None
        self.message_id: str | None = None
        self.model: str | None = None
        self.container_id: str | None = None

    @property
    def in_block(self) -> bool:
        """Whether it stands in the midst of the answer."""
        return self.has_content and not self.complete

    @property
    def complete(self) -> bool:
        """Whether the answer is whole: usage may still follow the reason to stop."""
        return self.ended or self.stopped

    @property
    def usage(self) -> TokenUsage:
        """Tokens and cost as last told."""
        return _usage(self._usage)

    def feed(self, event: Event) -> None:
        """Take in the next event."""
        self.events += 1
        data = event.data
        if data.strip() == _DONE:
            self.ended = self.ended or self.has_content or self.stopped
            return
        try:
            chunk = _decode(data)
        except JUNK:
            return
        if chunk.error or event.name == "error":
            self.error = data
            return
        if chunk.usage:
            self._usage = chunk.usage
        if self.message_id is None:
            self._name(chunk)
        for choice in chunk.choices or ():
            self._choice(choice)

    def _choice(self, choice: _Choice) -> None:
        said = choice.delta or choice.message
        if not self.has_content and said is not None:
            self.has_content = said.says
        if choice.index:
            self._other(choice.index, ended=bool(choice.finish_reason))
        elif choice.finish_reason:
            self._first_stopped = True
            self.silent = choice.finish_reason == "stop" and not self.has_content
        self.stopped = self._first_stopped and not self._open

    def _other(self, index: int, *, ended: bool) -> None:
        """One of several answers that the client asked for at once."""
        if ended:
            self._open.discard(index)
        elif len(self._open) < MAX_CHOICES:
            self._open.add(index)

    def _name(self, chunk: _Chunk) -> None:
        self.message_id = chunk.id if isinstance(chunk.id, str) else None
        self.model = chunk.model if isinstance(chunk.model, str) else None


def chat_usage_in(raw: msgspec.Raw) -> TokenUsage:
    """Usage of a whole answer, from its `usage` member as written; nothing where it has none."""
    told = bytes(raw)
    try:
        return _usage(msgspec.json.decode(told)) if told else TokenUsage()
    except JUNK:
        return TokenUsage()


def judge_chat(content_type: str, body: bytes, *, gated: bool = False) -> Success | Garbage:
    """A 200 that is no stream: an answer with its usage, or none (claim R4).

    `gated`: one that ended of its own accord and says nothing is none either.
    """
    start = body[:64].lstrip()
    if not start and not body.strip():
        return Garbage("empty")
    if start.startswith(b"<") or content_type.lower().startswith("text/html"):
        return Garbage("html")
    try:
        answer = _decode(body)
    except JUNK:
        return Garbage("json")
    if answer.error:
        return Garbage("error")
    if not answer.choices or (gated and _says_nothing(answer.choices[0])):
        return Garbage("empty")
    return Success(_usage(answer.usage))


def _says_nothing(choice: _Choice) -> bool:
    return choice.finish_reason == "stop" and not (choice.message and choice.message.says)


def _usage(told: object) -> TokenUsage:
    found = usage_of(told)
    return TokenUsage(
        input=found["input_tokens"],
        output=found["output_tokens"],
        cache_read=found["cache_read_input_tokens"],
        cache_write_5m=found["cache_creation_input_tokens"],
        cost_usd=cost_usd(found.get("cost")),
    )
