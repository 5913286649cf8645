"""HTTP header fields: what is checked, what goes upstream, what comes back, who calls.

Raw fields are (name, value) pairs of bytes in wire order. Order, case and values of everything that
passes are kept (claim R20); what must not pass is dropped by name (claim R22). No policy here:
which key is valid and which account serves is decided elsewhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final

from maxpool.errors import RequestError, SecretError
from maxpool.wire.encoding import READABLE
from maxpool.wire.fieldnames import HOP_BY_HOP, about

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Raw = Sequence[tuple[bytes, bytes]]

MAX_FIELDS: Final = 256  # Claude Code sends 17, Codex 13
MAX_FIELD_BYTES: Final = 128 * 1024  # names and values together; Codex's longest is under 1 KB
OAUTH_BETA: Final = b"oauth-2025-04-20"
OAUTH_PREFIX: Final = "sk-ant-oat"

_CONNECTION_BYTES: Final = len(b"connection")
_MAX_ACCEPTED_BYTES: Final = 256  # of `accept-encoding`; clients send some 30
_NO_WEIGHT: Final = re.compile(rb"q\s*=\s*0(\.0*)?")
_NO_VALUE_BYTES: Final = bytes((*range(9), *range(10, 32), 127))  # RFC 9110 section 5.5
_DIGITS: Final = re.compile(r"[0-9]+")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_OWN: Final = re.compile(rf"[Bb]earer +({OAUTH_PREFIX}[\w.~+/-]+=*) *", re.ASCII)  # RFC 6750 2.1


def fields(raw: Raw) -> dict[str, str]:
    """Lower-case names -> values; the values of a repeated name are joined with `, `."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = about(name).text, value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def checked(raw: Raw) -> dict[str, str]:
    """The same of a caller; refuses header tricks with a 400 (claim X6): line breaks, bad names, double
    framing, size.
    """
    if len(raw) > MAX_FIELDS:
        raise _refused(f"more than {MAX_FIELDS} header fields: send fewer")
    block = b"".join(chain.from_iterable(raw))
    if len(block) > MAX_FIELD_BYTES:
        raise _refused(f"more than {MAX_FIELD_BYTES // 1024} KB of header fields: send less")
    if b"\n" in block or b"\r" in block or b"\0" in block:
        raise _refused("a header field holds a line break or NUL: remove it")
    found: dict[str, str] = {}
    for name, value in raw:
        told, text = about(name), value.decode("latin-1")
        if not told.valid:
            raise _refused("a header name holds characters that names may not (RFC 9110 5.1)")
        key = told.text
        found[key] = f"{found[key]}, {text}" if key in found else text
    length = found.get("content-length")
    if length is not None:
        _check_framing(length, found)
    return found


def _check_framing(length: str, found: Mapping[str, str]) -> None:
    lengths = {one.strip() for one in length.split(",")}
    if len(lengths) > 1 or not _DIGITS.fullmatch(lengths.pop()):
        raise _refused("content-length is repeated or is no number: send it once (RFC 9112 6.3)")
    if "transfer-encoding" in found:
        raise _refused("content-length together with transfer-encoding: send one of them")


def _refused(message: str) -> RequestError:
    return RequestError(400, "invalid_request_error", message)


def client_key(fields: Mapping[str, str]) -> str | None:
    """The caller's key: `x-maxpool-key`, else `x-api-key`, else the bearer; None without any."""
    key = fields.get("x-maxpool-key") or fields.get("x-api-key")
    if key:
        return key.strip() or None
    scheme, _, token = fields.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def own_login(fields: Mapping[str, str]) -> str | None:
    """The caller's own OAuth bearer, as a client that is signed in by itself sends it; else None."""
    sent = fields.get("authorization")
    found = _OWN.fullmatch(sent) if sent is not None else None
    return None if found is None else found[1]


def admin_key(fields: Mapping[str, str]) -> str | None:
    """The admin key as sent: `x-maxpool-admin-key`, else the bearer; None without either."""
    key = fields.get("x-maxpool-admin-key", "").strip()
    if key:
        return key
    scheme, _, token = fields.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def authorization(secret: str, mode: str) -> tuple[tuple[bytes, bytes] | None, bool]:
    """The credential header of an account, and whether it is an OAuth bearer.

    `mode`: `auto` (OAuth tokens as bearer, all else as `x-api-key`; told by the prefix, since SDKs
    send API keys as bearers too), `bearer`, `x-api-key`, `none`, or the name of a header that takes
    the secret as it is. Raises `SecretError` where no header can carry it.
    """
    if mode == "none":
        return None, False
    if not secret.strip():
        raise SecretError("the secret is empty", "Put the key or token where `secret` points to.")
    if _CONTROLS.search(secret):
        raise SecretError(
            "the secret holds a line break or control character",
            "Store the key or token alone, without a line break inside.",
        )
    try:
        value = secret.strip().encode("latin-1")
    except UnicodeEncodeError as odd:
        raise SecretError(
            "the secret holds characters no HTTP header can carry", "Copy the key or token anew."
        ) from odd
    oauth = secret.strip().startswith(OAUTH_PREFIX)
    if mode == "bearer" or (mode == "auto" and oauth):
        return (b"authorization", b"Bearer " + value), oauth
    if mode in ("auto", "x-api-key"):
        return (b"x-api-key", value), False
    name = mode.encode("ascii", "replace")
    if not about(name).valid:
        raise SecretError(f"{mode!r} is no header name", "Correct the account's `auth_header`.")
    return (name, value), False


def outbound(
    headers: Raw,
    *,
    authorization: tuple[bytes, bytes] | None,
    extra: Iterable[tuple[bytes, bytes]] = (),
    strip_beta: frozenset[str] = frozenset(),
    oauth: bool = False,
    own: bool = False,
) -> list[tuple[bytes, bytes]]:
    """The caller's fields as they go upstream, with the account's credential and static extras.

    An extra replaces the caller's field of that name. `own`: the caller's `authorization` stays, as
    it came. `accept-encoding` becomes what the meter can read. The HTTP client adds `host` and
    `content-length`.
    """
    added = [*extra, authorization] if authorization is not None else list(extra)
    replaced = {name.lower() for name, _ in added}
    named = _connection_names(headers)
    accepted = b""
    found: list[tuple[bytes, bytes]] = []
    for field in headers:
        told = about(field[0])
        name = told.lower
        if told.up or (own and name == b"authorization"):
            if name not in replaced and name not in named:
                found.append(field)
        elif name == b"accept-encoding":
            accepted = accepted + b"," + field[1] if accepted else field[1]
    if strip_beta or oauth:
        found = _betas(found, strip_beta, oauth=oauth and b"anthropic-beta" not in replaced)
    if b"accept-encoding" not in replaced:
        found.append((b"accept-encoding", _codings(accepted)))
    return found + added


def inbound(
    headers: Raw, *, drop_ratelimit: bool, extra: Iterable[tuple[bytes, bytes]] = ()
) -> list[tuple[bytes, bytes]]:
    """An upstream's response fields as they go to the caller, with our own added.

    `content-encoding` and `content-length` stay: the body's bytes are passed on unchanged, and a
    stream has no length. `drop_ratelimit` drops one account's limits where the pool's replace them.
    """
    added = list(extra)
    own = {name.lower() for name, _ in added}
    named = _connection_names(headers)
    found: list[tuple[bytes, bytes]] = []
    for field in headers:
        told = about(field[0])
        if not told.down or not told.valid or (drop_ratelimit and told.limits):
            continue
        if told.lower not in own and told.lower not in named:
            found.append(field)
    if not _sendable(found):
        found = [field for field in found if _sendable([field])]
    return found + added


def _sendable(headers: Raw) -> bool:
    """Whether our own server can write these values: not every reader upstream is as strict."""
    values = b"".join([value for _, value in headers])
    return len(values.translate(None, _NO_VALUE_BYTES)) == len(values)


def _connection_names(headers: Raw) -> frozenset[bytes] | set[bytes]:
    """Fields that `Connection` declares to be of this hop only (RFC 9110 7.6.1)."""
    values = [v for n, v in headers if len(n) == _CONNECTION_BYTES and n.lower() == b"connection"]
    if not values or values in ([b"keep-alive"], [b"close"]):
        return HOP_BY_HOP
    # `connection: content-length` and the like would strip what the message needs
    named = {word.strip().lower() for value in values for word in value.split(b",")}
    return named - {b"content-type", b"content-encoding", b"anthropic-version", b"anthropic-beta"}


@lru_cache(maxsize=64)
def _codings(value: bytes) -> bytes:
    """What the caller accepts of what can be read on the way, in its own words; else `identity`."""
    asked, refused, rest = {}, set(), None
    for part in value.lower().split(b",") if len(value) <= _MAX_ACCEPTED_BYTES else ():
        name, _, parameters = (word.strip() for word in part.partition(b";"))
        if _NO_WEIGHT.fullmatch(parameters):
            refused.add(name)
        elif name == b"*":
            rest = parameters
        elif name in READABLE:
            asked[name] = parameters
    if rest is not None and b"*" not in refused:
        asked |= {name: rest for name in READABLE if name not in asked}
    found = [b";".join(filter(None, one)) for one in asked.items() if one[0] not in refused]
    return b", ".join(found) or b"identity"


def _betas(
    headers: list[tuple[bytes, bytes]], strip: frozenset[str], *, oauth: bool
) -> list[tuple[bytes, bytes]]:
    """`anthropic-beta` without what this origin refuses, with what an OAuth bearer needs.

    Nothing is reordered, and lines that need no change keep their bytes. A value that the account's
    owner strips is not added either.
    """
    stripped = {name.encode("latin-1", "replace") for name in strip}
    found: list[tuple[bytes, bytes]] = []
    last, present = -1, False
    for name, value in headers:
        kept = value
        if name.lower() == b"anthropic-beta":
            betas = value.split(b",")
            rest = [beta for beta in betas if beta.strip() not in stripped]
            if len(rest) < len(betas):
                kept = b",".join(rest).strip()
                if not kept:
                    continue
            last = len(found)
            present = present or any(beta.strip() == OAUTH_BETA for beta in rest)
        found.append((name, kept))
    if oauth and not present and OAUTH_BETA not in stripped:
        if last < 0:
            found.append((b"anthropic-beta", OAUTH_BETA))
        else:
            name, value = found[last]
            found[last] = (name, value + b"," + OAUTH_BETA if value.strip() else OAUTH_BETA)
    return found
