"""Content of a Chat stream as blocks of a Messages stream: one open at a time, none lost.

Chat streams one message with several things in it at once; Messages opens one block after the
other. `Slot` is such a block to be: the first one is written as it comes, those that begin
meanwhile wait, and follow as soon as the one before is known to be whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from maxpool.wire.as_stream import event
from maxpool.wire.blocks import JUNK
from maxpool.wire.from_chat_parts import mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.wire.from_chat_parts import Asked

Json = dict[str, Any]
Kind = Literal["text", "thinking", "tool_use"]

_DELTA: Final[Mapping[Kind, tuple[str, str]]] = MappingProxyType(
    {
        "text": ("text_delta", "text"),
        "thinking": ("thinking_delta", "thinking"),
        "tool_use": ("input_json_delta", "partial_json"),
    }
)
_EMPTY: Final[Mapping[Kind, Json]] = MappingProxyType(
    {
        "text": {"type": "text", "text": ""},
        "thinking": {"type": "thinking", "thinking": "", "signature": ""},
    }
)


@dataclass(slots=True, eq=False)
class Slot:
    """A block to be. `told_id`: what the service calls a tool call, which may come late or never."""

    kind: Kind
    place: int = 0
    told_id: str | None = None
    name: str | None = None
    pieces: list[str] = field(default_factory=list)
    index: int = -1

    @property
    def ready(self) -> bool:
        """Whether its start can be written."""
        return self.kind != "tool_use" or self.name is not None

    @property
    def whole(self) -> bool:
        """Whether nothing more of it can come: the arguments of a call end with their last brace."""
        if self.kind != "tool_use":
            return True
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        try:
            msgspec.json.decode("".join(self.pieces))
        except JUNK:
            return False
        return True


@dataclass(slots=True)
class Blocks:
    """The blocks of one answer, as the events that write them."""

    asked: Asked
    out: list[bytes] = field(default_factory=list)
    written: int = 0
    current: Slot | None = None
    waiting: list[Slot] = field(default_factory=list)
    calls: list[Slot] = field(default_factory=list)
    by_index: dict[int, Slot] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    @property
    def any(self) -> bool:
        """Whether anything at all was said."""
        return self.written > 0 or bool(self.waiting)

    def say(self, kind: Kind, piece: str) -> None:
        """More text, or more thinking."""
        if self.current is not None and self.current.kind == kind:
            self._write(self.current, piece)
            return
        if not self.waiting or self.waiting[-1].kind != kind:
            self.waiting.append(Slot(kind))
        self.waiting[-1].pieces.append(piece)
        self._advance()

    def call(self, told: Json) -> None:
        """More of a tool call."""
        function = mapping(told, "function")
        slot = self._slot(told, function.get("name"))
        piece = function.get("arguments")
        if isinstance(piece, dict):
            piece = msgspec.json.encode(piece).decode()
        if isinstance(piece, str) and piece:
            slot.pieces.append(piece)  # of a call that was closed as whole it is a repetition
            if slot is self.current:
                self._write(slot, piece)
        if slot is not self.current:
            self._advance()

    def close(self) -> bool:
        """End all blocks; False where one never became any, so that the answer is broken."""
        while self.waiting:
            self._stop()
            if not self.waiting[0].ready:
                return False
            self._start(self.waiting.pop(0))
        self._stop()
        return True

    def _slot(self, told: Json, name: object) -> Slot:
        """The call that is meant: by its index, by its id, else the last one."""
        index, told_id = told.get("index"), told.get("id")
        named = name if isinstance(name, str) and name else None
        known_id = told_id if isinstance(told_id, str) and told_id else None
        slot = self._known(index, known_id, named)
        if slot is None:
            slot = Slot("tool_use", place=len(self.calls))
            self.calls.append(slot)
            self.waiting.append(slot)
            if isinstance(index, int):
                self.by_index[index] = slot
        slot.told_id = slot.told_id or known_id
        slot.name = slot.name or named
        return slot

    def _known(self, index: object, told_id: str | None, name: str | None) -> Slot | None:
        if isinstance(index, int):
            slot = self.by_index.get(index)
        elif told_id is not None:
            slot = next((one for one in self.calls if one.told_id == told_id), None)
        else:
            slot = self.calls[-1] if self.calls else None
        # Some services give every call the same index, each with an id and a name of its own.
        another = slot is not None and None not in (told_id, name, slot.told_id, slot.name)
        return None if another and slot is not None and slot.told_id != told_id else slot

    def _advance(self) -> None:
        """Write whatever no longer has to wait."""
        while self.waiting and self.waiting[0].ready:
            if self.current is not None and not self.current.whole:
                return
            self._stop()
            self._start(self.waiting.pop(0))

    def _start(self, slot: Slot) -> None:
        self.current, slot.index = slot, self.written
        self.written += 1
        block = _EMPTY.get(slot.kind)
        if block is None:
            call_id = self.asked.call_id(slot.told_id, slot.place, self.taken)
            block = {"type": "tool_use", "id": call_id, "name": slot.name, "input": {}}
        begun = {"index": slot.index, "content_block": block}
        self.out.append(event("content_block_start", begun))
        if slot.pieces:
            self._write(slot, "".join(slot.pieces))

    def _write(self, slot: Slot, piece: str) -> None:
        kind, member = _DELTA[slot.kind]
        delta = {"index": slot.index, "delta": {"type": kind, member: piece}}
        self.out.append(event("content_block_delta", delta))

    def _stop(self) -> None:
        if self.current is not None:
            self.out.append(event("content_block_stop", {"index": self.current.index}))
            self.current = None
