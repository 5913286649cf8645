"""Errors of OpenAI-format services in the Messages envelope.

The type follows from what the service says of itself, else from the status; its own code is kept as
`details.error_code`, where `wire/verdict` looks for codes. Services write errors in several shapes,
and all of them are read. What an error does to an account is decided elsewhere.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.wire.blocks import JUNK

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MESSAGE_CHARS: Final = 4_000
"""The longest message passed on: some services send a whole page."""

TYPE_OF_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        409: "conflict_error",
        413: "request_too_large",
        422: "invalid_request_error",
        429: "rate_limit_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)

TYPE_OF_CODE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "context_length_exceeded": "invalid_request_error",
        "string_above_max_length": "invalid_request_error",
        "invalid_prompt": "invalid_request_error",
        "content_policy_violation": "invalid_request_error",
        "content_filter": "invalid_request_error",
        "invalid_api_key": "authentication_error",
        "invalid_authentication": "authentication_error",
        "account_deactivated": "permission_error",
        "insufficient_quota": "billing_error",
        "insufficient_balance": "billing_error",
        "billing_hard_limit_reached": "billing_error",
        "billing_not_active": "billing_error",
        "model_not_found": "not_found_error",
        "rate_limit_exceeded": "rate_limit_error",
        "requests": "rate_limit_error",
        "tokens": "rate_limit_error",
        "server_overloaded": "overloaded_error",
        "server_is_overloaded": "overloaded_error",
        "engine_overloaded": "overloaded_error",
        "overloaded": "overloaded_error",
        "overloaded_error": "overloaded_error",
        "slow_down": "overloaded_error",
        "server_error": "api_error",
        "timeout": "timeout_error",
    }
)
"""What a code, or a type that is used like one, means whatever the status."""


def error_body(status: int, body: bytes) -> bytes:
    """The Messages error for an error answer of any shape."""
    return msgspec.json.encode(envelope(_decoded(body), status))


def error_event(told: object) -> bytes:
    """An `error` event for an error that stands in a stream."""
    return b"event: error\ndata: " + msgspec.json.encode(envelope(told, 0)) + b"\n\n"


def broken_event(kind: str, message: str) -> bytes:
    """The same for a stream that cannot be read on."""
    return error_event({"error": {"type": kind, "message": message}})


def envelope(told: object, status: int) -> dict[str, Any]:
    """`status` 0: it stands in a stream, where a number as its code may be one."""
    error = _error(told)
    code, kind = error.get("code"), error.get("type")
    if status == 0 and isinstance(code, int) and not isinstance(code, bool):
        status = code
    name = next((w for w in (code, kind) if isinstance(w, str) and w in TYPE_OF_CODE), None)
    details: dict[str, str] = {}
    own = next((w for w in (code, name, error.get("status")) if isinstance(w, str) and w), None)
    if own is not None:
        details["error_code"] = _cut(own)
    if isinstance(kind, str) and kind:
        details["upstream_type"] = _cut(kind)
    if isinstance(error.get("param"), str):
        details["param"] = _cut(error["param"])
    found: dict[str, Any] = {"type": _type(name, kind, status), "message": _message(error, told)}
    if details:
        found["details"] = details
    return {"type": "error", "error": found}


def _type(name: str | None, kind: object, status: int) -> str:
    if name is not None:
        return TYPE_OF_CODE[name]
    if status in TYPE_OF_STATUS:
        return TYPE_OF_STATUS[status]
    if 400 <= status < 500:
        return "invalid_request_error"
    known = isinstance(kind, str) and kind in TYPE_OF_STATUS.values()
    return str(kind) if known and status == 0 else "api_error"


def _error(told: object) -> dict[str, Any]:
    """The part that tells the error, in whichever shape it came."""
    if isinstance(told, list):
        told = told[0] if told else None
    if not isinstance(told, dict):
        return {}
    error = told.get("error")
    if isinstance(error, dict):
        return error
    return {"message": error, "code": told.get("code")} if isinstance(error, str) else told


def _message(error: dict[str, Any], told: object) -> str:
    for name in ("message", "detail", "error_description"):
        if isinstance(error.get(name), str) and error[name]:
            return _cut(f"{error[name]}{_behind(error)}", MAX_MESSAGE_CHARS)
    if isinstance(told, str):
        return _cut(told.strip(), MAX_MESSAGE_CHARS) or "The service gave no reason."
    if told:
        return _cut(msgspec.json.encode(told).decode(), MAX_MESSAGE_CHARS)
    return "The service gave no reason."


def _behind(error: dict[str, Any]) -> str:
    """What a service behind the service said (OpenRouter passes it on as `metadata.raw`)."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return f" ({raw})" if isinstance(raw, str) and raw else ""


def _cut(text: str, most: int = 200) -> str:
    return text[:most]


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except JUNK:
        return body.decode("utf-8", "replace")
