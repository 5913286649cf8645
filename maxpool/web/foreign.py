"""`/v1/chat/completions`, `/v1/responses`, `/route`: clients of other APIs, and of any.

Their requests become Messages requests here, once, so that everything behind this door speaks one
language; what they wrote goes along for accounts that speak theirs. No subscription serves them: those
are for Claude Code only, whatever a client calls itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from maxpool.core.eligibility import mismatch
from maxpool.errors import RequestError
from maxpool.web.door import KEPT_NOTHING
from maxpool.web.messages import Messages, read_body
from maxpool.wire.body import plain
from maxpool.wire.chat_answer import CHAT_SURFACE
from maxpool.wire.chat_request import translate
from maxpool.wire.responses_answer import RESPONSES_SURFACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.errors import Uncarried
    from maxpool.service.job import Job
    from maxpool.web.guard import Receive, Scope
    from maxpool.wire.translation import Surface

MESSAGES_PATH: Final = "/v1/messages"

NOT_THEIRS: Final = frozenset({"content-encoding", "authorization", "x-app"})
"""Fields that are not read of these clients: their body is decoded already, and they are no Claude Code."""

CHAT_ROLES: Final = frozenset({"system", "developer", "tool", "function"})
CHAT_ONLY: Final = frozenset(
    {
        *("max_completion_tokens", "response_format", "stream_options", "reasoning_effort", "n"),
        *("stop", "seed", "logprobs", "logit_bias", "parallel_tool_calls", "functions"),
        *("presence_penalty", "frequency_penalty", "user"),
    }
)
"""What only a Chat request has beside its messages."""

_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Named(msgspec.Struct):
    session_id: object = None


class _Told(msgspec.Struct):
    prompt_cache_key: object = None
    client_metadata: _Named | None = None


class _Limits(msgspec.Struct):
    max_tokens: object = None
    max_completion_tokens: object = None
    max_output_tokens: object = None


_decode: Final = msgspec.json.Decoder(_Told).decode
_decode_limits: Final = msgspec.json.Decoder(_Limits).decode
_decode_parts: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(slots=True)
class Foreign(Messages):
    """An endpoint of another API."""

    async def _read(self, scope: Scope, receive: Receive, request_id: str) -> Job | None:
        text = await self._text(scope, receive)
        if text is None or self.surface is None:
            return None
        return self._translated(scope, text, request_id, self.surface)

    async def _text(self, scope: Scope, receive: Receive) -> bytes | None:
        if scope["method"] != "POST":
            raise RequestError(405, "invalid_request_error", f"{scope['path']} takes only POST.")
        fields: dict[str, str] = scope["state"]["fields"]
        body = await read_body(receive, fields, self.bodies.sent)
        encoding = fields.get("content-encoding")
        if body is None or encoding is None:
            return body
        return plain(body, encoding, self.bodies.decoded)

    def _translated(self, scope: Scope, text: bytes, request_id: str, surface: Surface) -> Job:
        scope["state"]["surface"] = surface  # errors from now on are in its form
        body, lost = carried(text, surface)
        fields = {n: v for n, v in scope["state"]["fields"].items() if n not in NOT_THEIRS}
        session = session_in(text)
        if session is not None:
            fields.setdefault("x-session-affinity", session)
        job = self._job(scope, fields, body, request_id)
        request = replace(job.request, format=surface.name, native=lost is not None)
        if not limited(text):  # what Messages demands in its place is nobody's wish
            request = replace(request, max_output_tokens=None)
        states = self.forwarder.pool.states.values()
        if lost is not None and all(mismatch(s.account, request) for s in states):
            raise lost
        return replace(job, request=request, surface=surface, asked=text, tells="nothing")


@dataclass(slots=True)
class AnyFormat(Foreign):
    """`POST /route`: the API is told by the request's own shape."""

    async def _read(self, scope: Scope, receive: Receive, request_id: str) -> Job | None:
        text = await self._text(scope, receive)
        if text is None:
            return None
        fields: dict[str, str] = scope["state"]["fields"]
        match shape_of(text, fields):
            case "responses":
                return self._translated(scope, text, request_id, RESPONSES_SURFACE)
            case "chat":
                return self._translated(scope, text, request_id, CHAT_SURFACE)
            case _:
                read = {n: v for n, v in fields.items() if n != "content-encoding"}
                headers = [h for h in scope["headers"] if h[0].lower() != b"content-encoding"]
                moved = {**scope, "path": MESSAGES_PATH, "raw_path": MESSAGES_PATH.encode()}
                return self._job({**moved, "headers": headers}, read, text, request_id)


@dataclass(slots=True)
class KeptNothing(Messages):
    """What a server of the Responses API has kept: this one keeps nothing, and says so."""

    async def _read(self, scope: Scope, receive: Receive, request_id: str) -> Job | None:
        del receive, request_id
        what = "conversations" if scope["path"].startswith(KEPT_NOTHING[1]) else "responses"
        raise RequestError(
            404,
            "not_found_error",
            f"maxpool stores no {what}, so there is nothing at {scope['path'][:200]}. Send the whole "
            "conversation as `input` of POST /v1/responses, with `store: false`.",
        )


def carried(text: bytes, surface: Surface) -> tuple[bytes, Uncarried | None]:
    """The Messages request, and what it had no place for: then only an account that speaks the client's
    own API can serve it. There are such accounts for Chat; of any other API that raises `Uncarried`.
    """
    if surface is not CHAT_SURFACE:
        return surface.request(text), None
    made = translate(text)
    return made.body, made.lost[0] if made.lost else None


def session_in(text: bytes) -> str | None:
    """The session as a client of these APIs names it in its body; None where it does not."""
    try:
        told = _decode(text)
    except _JUNK:
        return None
    named = told.client_metadata.session_id if told.client_metadata is not None else None
    return next((key for key in (told.prompt_cache_key, named) if _text(key)), None)  # type: ignore[return-value]


def limited(text: bytes) -> bool:
    """Whether a request of these APIs says how long its answer may get; `text`: one that was read already."""
    told = _decode_limits(text)
    limits = (told.max_tokens, told.max_completion_tokens, told.max_output_tokens)
    return any(limit is not None for limit in limits)


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def shape_of(text: bytes, fields: Mapping[str, str]) -> Literal["messages", "chat", "responses"]:
    """Which API a request is of, by its members; by `max_tokens`, which Messages demands, where all else
    is alike. `fields`: its headers.
    """
    try:
        parts = _decode_parts(text)
    except _JUNK:
        return "messages"  # whose reader says what is wrong with it
    if "input" in parts and "messages" not in parts:
        return "responses"
    if "anthropic-version" in fields:
        return "messages"
    if parts.keys() & CHAT_ONLY or _has_role(parts.get("messages"), CHAT_ROLES):
        return "chat"
    if _has_type(parts.get("tools"), "function"):
        return "chat"
    return "messages" if "max_tokens" in parts or "system" in parts else "chat"


class _Message(msgspec.Struct):
    role: object = None


class _Tool(msgspec.Struct):
    type: object = None


def _has_role(raw: msgspec.Raw | None, roles: frozenset[str]) -> bool:
    try:
        found = msgspec.json.decode(raw or b"[]", type=list[_Message])
    except _JUNK:
        return False
    return any(isinstance(message.role, str) and message.role in roles for message in found)


def _has_type(raw: msgspec.Raw | None, kind: str) -> bool:
    try:
        found = msgspec.json.decode(raw or b"[]", type=list[_Tool])
    except _JUNK:
        return False
    return any(tool.type == kind for tool in found)
