"""Thinking in a client's hands: the `encrypted_content` of a reasoning item, which maxpool itself wrote.

Claude takes its thinking back only unchanged and with its signature. A Responses client keeps one
opaque text for it; here that is an envelope around the block, with a version ahead of it. It is no
secret and needs no seal: the signature is the upstream's own check. What another provider has
encrypted is no envelope of ours and opens to nothing.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Final

import msgspec

PREFIX: Final = "maxpool1."


class _Held(msgspec.Struct, omit_defaults=True):
    """A thinking block, or the data of a redacted one."""

    thinking: str = ""
    signature: str = ""
    data: str = ""


_decode: Final = msgspec.json.Decoder(_Held).decode
_encode: Final = msgspec.json.encode
_JUNK: Final = (msgspec.DecodeError, ValueError, RecursionError)


def sealed(thinking: str, signature: str) -> str | None:
    """The envelope of a thinking block; None without a signature: nobody would take it back."""
    return _sealed(_Held(thinking=thinking, signature=signature)) if signature else None


def sealed_redacted(data: str) -> str | None:
    """The envelope of a redacted thinking block."""
    return _sealed(_Held(data=data)) if data else None


def opened(envelope: object) -> dict[str, Any] | None:
    """The thinking block that an envelope holds; None for anything else."""
    if not isinstance(envelope, str) or not envelope.startswith(PREFIX):
        return None
    try:
        held = _decode(b64decode(envelope[len(PREFIX) :], validate=True))
    except _JUNK:
        return None
    if held.signature:
        return {"type": "thinking", "thinking": held.thinking, "signature": held.signature}
    return {"type": "redacted_thinking", "data": held.data} if held.data else None


def _sealed(held: _Held) -> str:
    return PREFIX + b64encode(_encode(held)).decode()
