"""Sending another model name upstream than the caller wrote: the one edit a body ever gets.

Every other value of the body keeps its bytes.
"""

from __future__ import annotations

import msgspec


def with_model(body: bytes, model: str) -> bytes:
    """The body with its top-level `model` replaced; raises `msgspec.DecodeError` for no JSON object."""
    parts = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    parts["model"] = msgspec.Raw(msgspec.json.encode(model))
    return msgspec.json.encode(parts)
