"""Errors as clients of OpenAI's APIs expect them, made from the Messages envelope.

`{"error": {"message", "type", "param", "code"}}`; the status stays. `insufficient_quota`, which these clients
never retry, stands only for what no waiting mends: a bill, a limit or budget without a known end. A
quota that opens again is `rate_limit_exceeded`.

Source: platform.openai.com/docs/guides/error-codes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.wire.replies import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MESSAGE_CHARS: Final = 2_000
"""Of a body that is no JSON, such as a gateway's page."""

_REQUEST: Final = "invalid_request_error"
_SERVER: Final = "server_error"
_UNPAID: Final = ("insufficient_quota", "insufficient_quota")
_NO_MODEL: Final = (_REQUEST, "model_not_found")
_TOO_LONG: Final = (_REQUEST, "context_length_exceeded")

_TYPES: Final[Mapping[str, tuple[str, str | None]]] = MappingProxyType(
    {
        "invalid_request_error": (_REQUEST, None),
        "authentication_error": (_REQUEST, "invalid_api_key"),
        "billing_error": _UNPAID,
        "permission_error": (_REQUEST, "permission_denied"),
        "not_found_error": (_REQUEST, "not_found"),
        "conflict_error": (_REQUEST, "conflict"),
        "request_too_large": (_REQUEST, "request_too_large"),
        "rate_limit_error": ("rate_limit_error", "rate_limit_exceeded"),
        "api_error": (_SERVER, None),
        "timeout_error": (_SERVER, "timeout"),
        "overloaded_error": (_SERVER, "overloaded"),
    }
)
# Why maxpool itself refused (`maxpool.reason` of the body), where that says more than the type.
_REASONS: Final = MappingProxyType(
    {
        "spend_limit": _UNPAID,
        "budget": _UNPAID,
        "billing": _UNPAID,
        "model": _NO_MODEL,
        "model_missing": _NO_MODEL,
        "context": _TOO_LONG,
    }
)
_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def openai_error(answer: Answer) -> Answer:
    """An error answer in the Messages envelope, in OpenAI's; one that is in OpenAI's already stays.

    maxpool's own facts (`maxpool`) stay beside the error; the request id goes into `x-request-id`.
    """
    told = _object(answer.body)
    found = _object_in(told.get("error"))
    if found and told.get("type") != "error":
        return Answer(answer.status, _headers(answer, told), answer.body)
    facts = _object_in(told.get("maxpool"))
    text = answer.body[:MAX_MESSAGE_CHARS].decode("utf-8", "replace")
    body: dict[str, Any] = {"error": told_as(found or {"message": text}, answer.status, facts)}
    if facts:
        body["maxpool"] = facts
    return Answer(answer.status, _headers(answer, told), msgspec.json.encode(body))


def event_error(data: bytes) -> dict[str, Any]:
    """The same for the data of an `error` event, which has no status."""
    told = _object(data)
    found = _object_in(told.get("error")) or {"message": "the upstream broke the answer off"}
    return told_as(found, 500, _object_in(told.get("maxpool")))


def told_as(error: Mapping[str, Any], status: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    """One error of the Messages API as OpenAI tells it; `facts`: what maxpool itself says of it."""
    message = error.get("message")
    message = message if isinstance(message, str) else ""
    kind, code = _kind(error.get("type"), status)
    of_reason = _REASONS.get(str(facts.get("reason")))
    if of_reason is not None and (of_reason is not _UNPAID or facts.get("retry_at") is None):
        kind, code = of_reason
    elif code == "not_found" and message.startswith("model:"):
        kind, code = _NO_MODEL
    elif kind == _REQUEST and "prompt is too long" in message:
        kind, code = _TOO_LONG
    details = _object_in(error.get("details"))
    own, param = details.get("error_code"), details.get("param")
    return {
        "message": message,
        "type": kind,
        "param": param if isinstance(param, str) else None,
        "code": own if isinstance(own, str) else code,
    }


def _kind(told: object, status: int) -> tuple[str, str | None]:
    """By the type; by the status where that is unknown."""
    if isinstance(told, str) and told in _TYPES:
        return _TYPES[told]
    if status == 429:
        return _TYPES["rate_limit_error"]
    return (_SERVER if status >= 500 else _REQUEST), None


def _headers(answer: Answer, told: Mapping[str, Any]) -> tuple[tuple[bytes, bytes], ...]:
    """All but what the new body has otherwise; the id under OpenAI's name, too."""
    known = {name.lower(): value for name, value in answer.headers}
    kept = [
        (name, value)
        for name, value in answer.headers
        if name.lower() not in (b"content-type", b"content-length", b"content-encoding")
    ]
    given = told.get("request_id")
    named = given.encode("ascii", "ignore") if isinstance(given, str) else b""
    request_id = known.get(b"request-id") or named
    if request_id and b"x-request-id" not in known:
        kept.append((b"x-request-id", request_id))
    return ((b"content-type", b"application/json"), *kept)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        return _object_in(msgspec.json.decode(body))
    except _JUNK:
        return {}


def _object_in(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
