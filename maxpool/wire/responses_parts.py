"""Output items of a Responses answer while they grow: message, reasoning, call, search.

Each announces itself when it is made, tells what comes in `feed`, and in `close` ends with the
whole item, which it returns. Which of them there are, `responses_stream` decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from maxpool.wire import responses_output as shapes
from maxpool.wire.chat_completion import object_in, text_in
from maxpool.wire.freetext import FreeText
from maxpool.wire.responses_events import Events, delta_head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.wire.responses_output import Item
    from maxpool.wire.responses_tools import Named

GROWING: Final = "in_progress"
COMPLETED: Final = "completed"


class Delta(msgspec.Struct, gc=False):
    """What a `content_block_delta` adds, of any kind."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: Any = None


class BlockDelta(msgspec.Struct, gc=False):
    """A `content_block_delta` event; blocks do not overlap, so its index says nothing."""

    delta: Delta


decode_delta: Final = msgspec.json.Decoder(BlockDelta).decode
_decode_any: Final = msgspec.json.decode
_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Growing(Protocol):
    """One output item on its way."""

    def feed(self, delta: Delta) -> None:
        """Take in what was added to the block."""
        ...

    def close(self, status: str) -> Item:
        """End it; returns the whole item."""
        ...


class Place:
    """Where an item stands in the answer, and the events it is told in."""

    __slots__ = ("at", "events", "id", "index")

    def __init__(self, events: Events, item_id: str, index: int) -> None:
        self.events = events
        self.id = item_id
        self.index = index
        self.at: dict[str, Any] = {"item_id": item_id, "output_index": index}

    def put(self, kind: str, **fields: object) -> None:
        """One event about this item."""
        self.events.put(f"response.{kind}", self.at | fields)

    def head(self, kind: str, **fields: object) -> bytes:
        """The constant part of its deltas of that kind."""
        return delta_head(f"response.{kind}.delta", self.at | fields)

    def added(self, item: Item) -> None:
        """Announce it."""
        self.events.put("response.output_item.added", {"output_index": self.index, "item": item})

    def done(self, item: Item) -> Item:
        """End it."""
        self.events.put("response.output_item.done", {"output_index": self.index, "item": item})
        return item


class Message:
    """Texts of the model, each block of them one part; it stays open for the next text."""

    __slots__ = ("_cited", "_head", "_open", "_parts", "_place", "_text")

    def __init__(self, place: Place) -> None:
        self._place = place
        self._parts: list[Item] = []
        self._open = False
        self._text: list[str] = []
        self._cited: list[Any] = []
        self._head = b""
        place.added(shapes.message_item(place.id, [], GROWING))

    def begin(self) -> None:
        """A new text block."""
        self._close_part()
        self._open = True
        at = {"content_index": len(self._parts)}
        self._head = self._place.head("output_text", **at, logprobs=[])
        self._place.put("content_part.added", **at, part=shapes.text_part("", []))

    def feed(self, delta: Delta) -> None:
        """Text, or a citation of it."""
        if delta.text:
            self._text.append(delta.text)
            self._place.events.delta(self._head, delta.text)
        elif delta.citation is not None:
            self._cited.append(delta.citation)

    def refuse(self, why: str) -> None:
        """The model said no more than this."""
        self._close_part()
        at = {"content_index": len(self._parts)}
        part = shapes.refusal_part(why)
        self._place.put("content_part.added", **at, part=shapes.refusal_part(""))
        self._place.events.delta(self._place.head("refusal", **at), why)
        self._place.put("refusal.done", **at, refusal=why)
        self._place.put("content_part.done", **at, part=part)
        self._parts.append(part)

    def close(self, status: str) -> Item:
        """The message with all its parts."""
        self._close_part()
        return self._place.done(shapes.message_item(self._place.id, self._parts, status))

    def _close_part(self) -> None:
        if not self._open:
            return
        self._open = False
        text = "".join(self._text)
        at = {"content_index": len(self._parts)}
        notes = self._annotations(text, at)
        part = shapes.text_part(text, notes)
        self._place.put("output_text.done", **at, text=text, logprobs=[])
        self._place.put("content_part.done", **at, part=part)
        self._parts.append(part)
        self._text, self._cited = [], []

    def _annotations(self, text: str, at: Mapping[str, Any]) -> list[Item]:
        """Citations, told once the text that they belong to has its length."""
        found = (shapes.citation(object_in(told), len(text)) for told in self._cited)
        notes = [note for note in found if note is not None]
        for index, note in enumerate(notes):
            self._place.put(
                "output_text.annotation.added", **at, annotation_index=index, annotation=note
            )
        return notes


class Reasoning:
    """Thinking; its text is told only to a client that asked for a summary of it."""

    __slots__ = ("_data", "_head", "_kind", "_place", "_shown", "_signature", "_text")

    def __init__(self, place: Place, kind: str, data: str, *, shown: bool) -> None:
        self._place = place
        self._kind = kind
        self._data = data
        self._shown = shown
        self._head = b""
        self._text: list[str] = []
        self._signature = ""
        place.added(shapes.reasoning_item(place.id, "", None, GROWING))

    def feed(self, delta: Delta) -> None:
        """A piece of thinking, or the signature of all of it."""
        self._signature = delta.signature or self._signature
        if not delta.thinking:
            return
        self._text.append(delta.thinking)
        if self._shown:
            if not self._head:
                self._begin()
            self._place.events.delta(self._head, delta.thinking)

    def close(self, status: str) -> Item:
        """The item with what gives the thinking back to Claude."""
        text = "".join(self._text)
        if self._head:
            self._place.put("reasoning_summary_text.done", summary_index=0, text=text)
            part = shapes.summary_part(text)
            self._place.put("reasoning_summary_part.done", summary_index=0, part=part)
        envelope = shapes.envelope_of(self._kind, text, self._signature, self._data)
        shown = text if self._shown else ""
        return self._place.done(shapes.reasoning_item(self._place.id, shown, envelope, status))

    def _begin(self) -> None:
        self._head = self._place.head("reasoning_summary_text", summary_index=0)
        part = shapes.summary_part("")
        self._place.put("reasoning_summary_part.added", summary_index=0, part=part)


class Call:
    """A call of a function of the client's."""

    __slots__ = ("_call_id", "_head", "_place", "_text", "_tool")

    def __init__(self, place: Place, tool: Named, call_id: str) -> None:
        self._place = place
        self._tool = tool
        self._call_id = call_id
        self._text: list[str] = []
        self._head = place.head("function_call_arguments")
        place.added(shapes.call_item(place.id, tool, call_id, "", GROWING))

    def feed(self, delta: Delta) -> None:
        """A piece of the arguments, as JSON."""
        if delta.partial_json:
            self._text.append(delta.partial_json)
            self._place.events.delta(self._head, delta.partial_json)

    def close(self, status: str) -> Item:
        """The call with its arguments; `{}` where the model wrote none."""
        text = "".join(self._text)
        if not text:
            text = "{}"
            self._place.events.delta(self._head, text)
        self._place.put("function_call_arguments.done", name=self._tool.name, arguments=text)
        item = shapes.call_item(self._place.id, self._tool, self._call_id, text, status)
        return self._place.done(item)


class FreeCall:
    """A call of a tool that takes free text."""

    __slots__ = ("_call_id", "_head", "_input", "_place", "_tool")

    def __init__(self, place: Place, tool: Named, call_id: str) -> None:
        self._place = place
        self._tool = tool
        self._call_id = call_id
        self._input = FreeText()
        self._head = place.head("custom_tool_call_input")
        place.added(shapes.call_item(place.id, tool, call_id, "", GROWING))

    def feed(self, delta: Delta) -> None:
        """A piece of JSON around the text."""
        self._tell(self._input.feed(delta.partial_json))

    def close(self, status: str) -> Item:
        """The call with its text."""
        self._tell(self._input.end())
        text = self._input.text
        self._place.put("custom_tool_call_input.done", input=text)
        item = shapes.call_item(self._place.id, self._tool, self._call_id, text, status)
        return self._place.done(item)

    def _tell(self, text: str) -> None:
        if text:
            self._place.events.delta(self._head, text)


class Search:
    """A search of the web that the upstream does by itself."""

    __slots__ = ("_found", "_json", "_place", "_sources")

    def __init__(self, place: Place, *, sources: bool) -> None:
        self._place = place
        self._sources = sources
        self._json: list[str] = []
        self._found: list[str] = []
        place.added(shapes.search_item(place.id, "", None, GROWING))
        place.put("web_search_call.in_progress")
        place.put("web_search_call.searching")

    def feed(self, delta: Delta) -> None:
        """A piece of the query's JSON."""
        self._json.append(delta.partial_json)

    def found(self, results: object) -> None:
        """What came of it; anything but a list is an error of the search."""
        pages = results if isinstance(results, list) else []
        urls = [object_in(page).get("url") for page in pages]
        self._found = [url for url in urls if isinstance(url, str)]

    def close(self, status: str) -> Item:
        """The search with its query."""
        self._place.put("web_search_call.completed")
        sources = self._found if self._sources else None
        return self._place.done(shapes.search_item(self._place.id, self._query(), sources, status))

    def _query(self) -> str:
        try:
            told = _decode_any("".join(self._json))
        except _JUNK:
            return ""
        return text_in(object_in(told).get("query"))
