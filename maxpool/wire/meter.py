"""Token usage, cost and progress of one Messages answer, from its events or its body.

Counts every kind of token once: `message_delta` usage is cumulative and overwrites what
`message_start` said (claim R17). Decodes only the events that carry usage or open a block, and
decides nothing: `service/relay` reads the flags.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.core.durations import number
from maxpool.core.lease import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.wire.sse import Event

MAX_TOKENS: Final = 1_000_000_000  # beyond any context: a broken count, not a large one
MAX_COST_USD: Final = 10_000.0  # no one answer costs that

_NONE: Final[Mapping[str, object]] = MappingProxyType({})
# Blocks of these kinds say nothing yet when they open; all others (tool calls, tool results) do.
_SILENT_BLOCKS: Final = frozenset({"text", "thinking", "redacted_thinking"})


class _Block(msgspec.Struct):
    type: str = ""


class _BlockStart(msgspec.Struct):
    content_block: _Block = msgspec.field(default_factory=_Block)


class _Named(msgspec.Struct):
    type: str = "message"


_decode_start: Final = msgspec.json.Decoder(_BlockStart).decode
_decode_named: Final = msgspec.json.Decoder(_Named).decode


class Meter:
    """Watches one Messages stream.

    `has_content`: something that commits the answer was seen (a delta, or a block that opens with
    content). `in_block`: a content block is open. `stopped`: a stop reason was given; `ended`:
    `message_stop` was seen. `error`: the data of an `error` event. `events`: how many so far.
    `cost_event`: the upstream's own event that says what the answer cost, where it has one.
    `container_id`: the container it ran in, where it did. `silent`: it ended of its own accord, and said nothing.
    """

    __slots__ = (
        "_cost_event",
        "_settled",
        "_turn_ended",
        "_usage",
        "container_id",
        "ended",
        "error",
        "events",
        "has_content",
        "in_block",
        "message_id",
        "model",
        "stopped",
    )

    def __init__(self, cost_event: str | None = None) -> None:
        self._usage: dict[str, Any] = {}
        self._cost_event = cost_event
        self._settled: float | None = None
        self._turn_ended = False
        self.events = 0
        self.has_content = False
        self.in_block = False
        self.stopped = False
        self.ended = False
        self.error: bytes | None = None
        self.message_id: str | None = None
        self.model: str | None = None
        self.container_id: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the answer is whole: clients accept one that ends after its stop reason (5.3)."""
        return self.ended or self.stopped

    @property
    def silent(self) -> bool:
        """Whether it ended of its own accord without a word or a call."""
        return self._turn_ended and not self.has_content

    @property
    def usage(self) -> TokenUsage:
        """Tokens and cost as last told; a settlement is the last word on the cost."""
        usage = _usage(self._usage)
        return usage if self._settled is None else replace(usage, cost_usd=self._settled)

    def feed(self, event: Event) -> None:
        """Take in the next event."""
        self.events += 1
        name = event.name
        if name == "content_block_delta":
            self.has_content = True
            return
        if name == "message":  # the stream names its events in the data only
            name = _name_in(event.data)
        watch = _WATCH.get(name)
        if watch is not None:
            watch(self, event.data)
        elif name == self._cost_event:
            self._settle(event.data)

    def _settle(self, data: bytes) -> None:
        told = _mapping(_decoded(data))
        usage = _mapping(told.get("usage"))
        figures = (told.get("cost_usd"), told.get("cost"), usage.get("cost_usd"), usage.get("cost"))
        self._settled = next((c for c in map(cost_usd, figures) if c is not None), self._settled)

    def _delta(self, _: bytes) -> None:
        self.has_content = True

    def _block_start(self, data: bytes) -> None:
        self.in_block = True
        if not self.has_content:
            try:
                self.has_content = _decode_start(data).content_block.type not in _SILENT_BLOCKS
            except _JUNK:
                return

    def _block_stop(self, _: bytes) -> None:
        self.in_block = False

    def _message_start(self, data: bytes) -> None:
        message = _mapping(_mapping(_decoded(data)).get("message"))
        self._usage.update(_mapping(message.get("usage")))
        self.message_id = _text(message.get("id"))
        self.model = _text(message.get("model"))
        self._container(message)

    def _message_delta(self, data: bytes) -> None:
        body = _mapping(_decoded(data))
        told = _mapping(body.get("usage"))
        self._usage.update((key, value) for key, value in told.items() if value is not None)
        delta = _mapping(body.get("delta"))
        self._container(delta)
        if delta.get("stop_reason") is not None:
            self.stopped = True
            self._turn_ended = delta["stop_reason"] == "end_turn"

    def _container(self, told: Mapping[str, object]) -> None:
        found = _text(_mapping(told.get("container")).get("id"))
        self.container_id = found or self.container_id

    def _message_stop(self, _: bytes) -> None:
        self.ended = True

    def _error(self, data: bytes) -> None:
        self.error = data


_WATCH: Final = MappingProxyType(
    {
        "content_block_delta": Meter._delta,
        "content_block_start": Meter._block_start,
        "content_block_stop": Meter._block_stop,
        "message_start": Meter._message_start,
        "message_delta": Meter._message_delta,
        "message_stop": Meter._message_stop,
        "error": Meter._error,
    }
)
_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def usage_in(raw: msgspec.Raw) -> TokenUsage:
    """Usage of a whole JSON answer, from its `usage` member as written; nothing where it has none."""
    told = bytes(raw)
    return _usage(_mapping(_decoded(told))) if told else TokenUsage()


def _usage(told: Mapping[str, object]) -> TokenUsage:
    """`cache_creation` splits the writes by lifetime; what it does not explain lives 5 minutes."""
    split = _mapping(told.get("cache_creation"))
    hour = _count(split.get("ephemeral_1h_input_tokens"))
    minutes = _count(split.get("ephemeral_5m_input_tokens"))
    return TokenUsage(
        input=_count(told.get("input_tokens")),
        output=_count(told.get("output_tokens")),
        cache_read=_count(told.get("cache_read_input_tokens")),
        cache_write_5m=max(minutes, _count(told.get("cache_creation_input_tokens")) - hour),
        cache_write_1h=hour,
        cost_usd=cost_usd(told.get("cost")),
    )


def cost_usd(value: object) -> float | None:
    """A sum of USD, as a number or as text; None for junk, negatives and absurd sums."""
    if isinstance(value, str) and len(value) <= 32:
        value = number(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_COST_USD else None


def _name_in(data: bytes) -> str:
    try:
        return _decode_named(data).type
    except _JUNK:
        return ""


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except _JUNK:
        return None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else _NONE


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int:
    """A token count; junk, negatives and absurd sizes count as none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value <= MAX_TOKENS else 0
