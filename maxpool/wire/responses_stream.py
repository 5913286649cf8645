"""A Messages answer as the events of a Responses answer, piece by piece.

| Messages | Responses |
|---|---|
| message_start | response.created, response.in_progress |
| text blocks in a row | one message, each block a part of it; citations of web pages are annotations |
| thinking, redacted_thinking | a reasoning item each, with what gives it back to Claude |
| tool_use | function_call, or custom_tool_call for a tool of free text, under the client's names |
| server_tool_use with its result | web_search_call |
| stop reason | response.completed, or response.incomplete (`INCOMPLETE`); a refusal with its reason as a part |
| error | response.failed, and nothing after it |
| ping | response.created ahead of the answer, then `keepalive` |

An item ends when the next one begins or the stop reason is known, which tells whether the last is
whole. A ping ahead of the answer opens the response since Codex counts no comments as life, and
OpenAI's SDK takes no other event first. Decides nothing about bytes: `responses_answer` reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.wire.chat_completion import object_in, text_in, why
from maxpool.wire.openai_errors import event_error
from maxpool.wire.responses_events import Events
from maxpool.wire.responses_output import INCOMPLETE, Asked, base_of, usage_told
from maxpool.wire.responses_parts import (
    COMPLETED,
    GROWING,
    Call,
    Delta,
    FreeCall,
    Growing,
    Message,
    Place,
    Reasoning,
    Search,
)
from maxpool.wire.responses_tools import Named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.wire.responses_output import Item

_RAW: Final = msgspec.Raw()
_NO_INPUT: Final = frozenset({b"", b"{}", b"null"})
# The codes of failures that clients act on: Codex waits, compacts its context, or gives up. What is
# none of them is tried again as the server's error, unless the request itself is to blame.
_CODES: Final = frozenset({"rate_limit_exceeded", "context_length_exceeded", "insufficient_quota"})


class Block(msgspec.Struct, gc=False):
    """A content block, empty as a stream opens it or whole as an answer holds it."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str = ""
    name: str = ""
    input: msgspec.Raw = _RAW
    citations: Any = None
    content: Any = None


class ResponseStream:
    """One answer. `response`: as it was last told; `ended`: nothing comes after."""

    __slots__ = (
        "_asked",
        "_base",
        "_created",
        "_details",
        "_item",
        "_output",
        "_reason",
        "_request_id",
        "_usage",
        "ended",
        "events",
        "response",
    )

    def __init__(self, asked: Asked, request_id: str) -> None:
        self._asked = asked
        self._request_id = request_id
        self._base = ""
        self._created = False
        self._item: Growing | None = None
        self._output: list[Item] = []
        self._usage: dict[str, Any] = {}
        self._reason: str | None = None
        self._details: Mapping[str, Any] = {}
        self.events = Events()
        self.response: dict[str, Any] = {}
        self.ended = False

    def ping(self) -> None:
        """A sign of life, in a form that this moment allows."""
        if self._created:
            self.events.put("keepalive", {})
        else:
            self._create(None)

    def start(self, message: Mapping[str, Any]) -> None:
        """`message_start`."""
        self._usage.update(object_in(message.get("usage")))
        if not self._created:
            self._create(message.get("id"))
        self._tell("in_progress", GROWING)

    def block(self, block: Block) -> None:
        """`content_block_start`, or a whole block."""
        if block.type == "text":
            message = self._item
            if not isinstance(message, Message):
                self._close(COMPLETED)
                message = self._item = Message(self._place("msg"))
            message.begin()
            self._tell_whole(block)
        elif block.type == "web_search_tool_result":
            if isinstance(self._item, Search):
                self._item.found(block.content)
                self._close(COMPLETED)
        else:
            self._close(COMPLETED)
            self._item = self._opened(block)
            self._tell_whole(block)

    def add(self, delta: Delta) -> None:
        """`content_block_delta`; those of blocks that have no place here are passed over."""
        if self._item is not None:
            self._item.feed(delta)

    def delta(self, told: Mapping[str, Any]) -> None:
        """`message_delta`: usage so far, and in the last of them the stop reason."""
        usage = object_in(told.get("usage"))
        self._usage.update((key, value) for key, value in usage.items() if value is not None)
        delta = object_in(told.get("delta"))
        reason = delta.get("stop_reason")
        if isinstance(reason, str):
            self._reason = reason
            self._details = delta

    def finish(self) -> None:
        """The answer is over; one without a stop reason was broken off and is not closed."""
        if self.ended or self._reason is None:
            return
        cause = INCOMPLETE.get(self._reason)
        if self._reason == "refusal":
            self._refuse(why(self._details))
        status = "incomplete" if cause else COMPLETED
        self._close("incomplete" if cause == "max_output_tokens" else COMPLETED)
        self._tell(
            status,
            status,
            usage=usage_told(self._usage),
            incomplete_details={"reason": cause} if cause else None,
        )
        self.ended = True

    def fail(self, data: bytes) -> None:
        """An `error` event: the answer ends here."""
        if self.ended:
            return
        told = event_error(data)
        if not self._created:
            self._create(None)
        error = {"code": _code(told), "message": told["message"]}
        self._tell("failed", "failed", error=error)
        self.ended = True

    def _create(self, message_id: object) -> None:
        self._base = base_of(message_id, self._request_id)
        self._created = True
        self._tell("created", GROWING)

    def _tell(self, kind: str, status: str, **more: object) -> None:
        """An event about the response as a whole."""
        response = self._asked.response(self._base, status, self._output)
        self.response = response | more
        self.events.put(f"response.{kind}", {"response": self.response})

    def _place(self, prefix: str) -> Place:
        index = len(self._output)
        return Place(self.events, f"{prefix}_{self._base}_{index}", index)

    def _close(self, status: str) -> None:
        if self._item is not None:
            item, self._item = self._item, None
            self._output.append(item.close(status))

    def _opened(self, block: Block) -> Growing | None:
        """The item of a block that is no text; None for what a Responses request cannot cause."""
        if block.type in ("thinking", "redacted_thinking"):
            place = self._place("rs")
            return Reasoning(place, block.type, block.data or "", shown=self._asked.summary)
        if block.type == "tool_use":
            tool = self._asked.names.get(block.name) or Named(block.name)
            if tool.free:
                return FreeCall(self._place("ctc"), tool, block.id)
            return Call(self._place("fc"), tool, block.id)
        if block.type == "server_tool_use":
            return Search(self._place("ws"), sources=self._asked.sources)
        return None

    def _tell_whole(self, block: Block) -> None:
        """What a block holds already when it opens: all of it in an answer that was not streamed."""
        if self._item is None:
            return
        for told in block.citations or ():
            self._item.feed(Delta(citation=told))
        given = bytes(block.input)
        whole = Delta(
            text=block.text or "",
            thinking=block.thinking or "",
            signature=block.signature or "",
            partial_json="" if given in _NO_INPUT else given.decode(),
        )
        if whole.text or whole.thinking or whole.signature or whole.partial_json:
            self._item.feed(whole)

    def _refuse(self, reason: str) -> None:
        message = self._item
        if not isinstance(message, Message):
            self._close(COMPLETED)
            message = self._item = Message(self._place("msg"))
        message.refuse(text_in(reason))


def _code(told: Mapping[str, Any]) -> str:
    if told["code"] in _CODES:
        return str(told["code"])
    return "invalid_prompt" if told["type"] == "invalid_request_error" else "server_error"
