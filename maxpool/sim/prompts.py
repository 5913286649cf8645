"""`Prompt`: what the simulated model is asked, whichever API format asked it; and the `Face` of one.

Values and the shared small readers of JSON bodies. Each format's own rules live in its face
(`messages`, `openai_chat`, `openai_responses`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.lease import TokenUsage
    from maxpool.sim.answers import Answer
    from maxpool.sim.problems import Problem
    from maxpool.sim.promptcache import Piece

FrameKind = Literal["open", "ping", "start", "delta", "stop", "finish", "end"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream: its bytes, its part in the answer, and the tokens it carries."""

    data: bytes
    kind: FrameKind
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool the client offers: its name and JSON schema."""

    name: str
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One request, understood. `variant` names all that splits the prompt cache besides the text."""

    model: str
    stream: bool
    max_tokens: int | None
    pieces: tuple[Piece, ...]
    asked: str
    variant: str
    tools: tuple[Tool, ...] = ()
    thinking: Literal["off", "shown", "omitted"] = "off"
    stop_sequences: tuple[str, ...] = ()
    include_usage: bool = False
    schema: Mapping[str, Any] | None = None  # of the JSON that the answer must be
    files: tuple[str, ...] = ()  # named by their ids
    container: str | None = None
    in_container: bool = False  # it runs in one, named or new
    threaded: bool = False
    goes_on: str | None = None  # the answer after which its thread goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer with everything its rendering needs."""

    prompt: Prompt
    answer: Answer
    usage: TokenUsage
    at: float
    container: str | None = None


class Face(Protocol):
    """One API format: how it asks, answers, and complains."""

    def read(self, body: Mapping[str, Any]) -> Prompt | Problem:
        """The request, or what is wrong with it."""
        ...

    def frames(self, reply: Reply, chunk_chars: int) -> list[Frame]:
        """The answer as a stream of events."""
        ...

    def document(self, reply: Reply) -> bytes:
        """The answer as one JSON body."""
        ...

    def complaint(self, problem: Problem, request_id: str) -> bytes:
        """An error body."""
        ...

    def complaint_event(self, problem: Problem) -> bytes:
        """An error inside a stream."""
        ...


def dump(value: object) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(value)


def read_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, or None when it holds none."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return value if isinstance(value, dict) else None


def schema_in(told: object, *path: str) -> Mapping[str, Any] | None:
    """The JSON schema at that path of a body's member; None where there is none."""
    for name in path:
        told = told.get(name) if isinstance(told, dict) else None
    return told if isinstance(told, dict) else None


def text_of(content: object) -> str:
    """The text in a message's content: a string, or the text parts of a list of blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return "\n".join(part for part in parts if isinstance(part, str))


def chunks(text: str, size: int) -> list[str]:
    """`text` in pieces of `size` characters; an empty text is one empty piece."""
    return [text[i : i + size] for i in range(0, len(text), size)] or [""]
