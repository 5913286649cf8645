"""What translators between API formats promise each other; the translators are modules of their own.

Inside maxpool a request is a Messages request and an answer a Messages answer. A `Surface` turns
another client's request into one and the answer back into what that client expects; a `Dialect` does
the same towards an upstream that speaks another format. Where client and upstream speak the same,
neither is asked: bytes pass as they are.

All of it is pure: JSON in, JSON out, no time, no chance, no state beyond one answer. Nothing is ever
dropped in silence: what cannot be carried raises, under its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.wire.replies import Answer

Format = Literal["anthropic", "openai-chat", "openai-responses", "generate"]

ANTHROPIC: Final = "anthropic"
CHAT: Final = "openai-chat"
RESPONSES: Final = "openai-responses"
GENERATE: Final = "generate"


class AnswerWriter(Protocol):
    """One Messages answer on its way to a client of another format.

    Give it either the whole JSON answer, or the stream piece by piece and then its end.
    """

    def whole(self, body: bytes) -> bytes:
        """The client's JSON for a Messages answer that was not streamed."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes of a Messages event stream (split anywhere) as the client's events.

        An `error` event becomes the client's form of an error in a stream; `ping` its heartbeat.
        """
        ...

    def end(self) -> bytes:
        """What closes the client's stream after an answer that ended well; nothing after any other."""
        ...


class Surface(Protocol):
    """One client format: stateless, so one object serves every request."""

    name: Format
    heartbeat: bytes
    """A sign of life in a stream that its clients skip."""

    def request(self, body: bytes) -> bytes:
        """The Messages request for this client's request body (decoded JSON bytes).

        Raises `RequestError` 400 for what is no such request, `errors.Uncarried` for what Messages lacks.
        """
        ...

    def writer(self, body: bytes, *, request_id: str, now: float) -> AnswerWriter:
        """Translates the answer to that request body; `now` (epoch seconds) dates it."""
        ...

    def error(self, answer: Answer) -> Answer:
        """An error in the Messages envelope as this client expects it: status and headers stay."""
        ...


class AnswerReader(Protocol):
    """One answer of an upstream of another format on its way to becoming a Messages answer."""

    def whole(self, body: bytes) -> bytes:
        """The Messages answer for a whole JSON answer; raises `ValueError` for what is none."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes of the upstream's event stream (split anywhere) as Messages events.

        Where a stream was asked for and the answer comes whole, its pieces go here all the same: the
        events come with `end`.
        """
        ...

    def end(self) -> bytes:
        """The upstream's body ended properly: events that close the answer, if it was complete.

        Nothing where the upstream never said why it stopped: such an answer is a broken one.
        """
        ...


class Dialect(Protocol):
    """One upstream format: stateless."""

    name: Format
    path: str
    """Where it takes requests, below an account's `base_url`."""

    def request(self, body: bytes, *, model: str, options: Mapping[str, object]) -> bytes:
        """The upstream's request for a Messages request, under the name it has for the model.

        `options`: the account's own fix-ups of bodies. Raises `errors.Uncarried`.
        """
        ...

    def reader(self, body: bytes, *, model: str, request_id: str) -> AnswerReader:
        """Translates the answer to that Messages request; `model` is what the client will see."""
        ...

    def error(self, status: int, body: bytes) -> bytes:
        """An error answer in the Messages envelope, its type by status and the upstream's own code."""
        ...
