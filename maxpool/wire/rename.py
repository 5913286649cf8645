"""Sending another model name upstream than the caller wrote: the one edit a caller's body ever gets.

Every other value of the body keeps its bytes; so they do where a translated one loses a limit that its
client never set.
"""

from __future__ import annotations

import msgspec


def with_model(body: bytes, model: str) -> bytes:
    """The body with its top-level `model` replaced; raises `msgspec.DecodeError` for no JSON object."""
    parts = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    parts["model"] = msgspec.Raw(msgspec.json.encode(model))
    return msgspec.json.encode(parts)


def without_limit(body: bytes) -> bytes:
    """A Messages request without the `max_tokens` that Messages demands and other APIs do not."""
    parts = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    parts.pop("max_tokens", None)
    return msgspec.json.encode(parts)
