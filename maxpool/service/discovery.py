"""Finding out what a service speaks: which formats, and which models. Never spends a token.

Lists of models are asked for in both shapes; whether a path takes requests is told by how it refuses an
empty one (`{}` names neither a model nor a message). The credential goes to that address alone, never
across a redirect.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from maxpool.errors import StreamCut
from maxpool.ports import Call, Unreachable
from maxpool.service.verifying import Refused, Unverified, Verified
from maxpool.wire.apiroot import models_url, requests_url
from maxpool.wire.headers import authorization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.ports import RawHeaders, Secret, Upstream
    from maxpool.service.verifying import Finding

Format = Literal["anthropic", "openai-chat", "generate"]
FORMATS: Final[tuple[Format, ...]] = ("anthropic", "openai-chat", "generate")
"""The better first: nothing is translated for Claude Code where a service speaks Messages itself."""

CONNECT_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 15.0
MAX_ANSWER_BYTES: Final = 4 << 20
MAX_MODELS: Final = 2000
_TAKES: Final = frozenset({400, 402, 411, 413, 415, 422, 429})
_LACKS: Final = frozenset({405, 501})
_ASKED_FOR: Final = ("model", "messages", "prompt", "max_tokens", "field required")
"""What a service misses in an empty request, by its own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One format: `taken` None = it could not be told. `models` None = no list in this shape."""

    format: Format
    url: str
    taken: bool | None
    status: int | None = None
    models: tuple[str, ...] | None = None
    models_status: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """All that was found out about a service."""

    base_url: str
    spoken: tuple[Spoken, ...]

    @property
    def formats(self) -> tuple[Format, ...]:
        """The formats it surely takes, the better first."""
        return tuple(s.format for s in self.spoken if s.taken)

    @property
    def best(self) -> Format | None:
        """The format to use: what it takes, else whose models it lists; None when nothing tells."""
        if self.formats:
            return self.formats[0]
        listed = [s.format for s in self.spoken if s.models and s.taken is None]
        return listed[0] if listed else None

    @property
    def models(self) -> tuple[str, ...]:
        """The models it lists, in its own order."""
        return next((s.models for s in self.spoken if s.models), ())

    def of(self, api_format: str) -> Spoken:
        """What is known of one format."""
        return next(s for s in self.spoken if s.format == api_format)

    def finding(self, api_format: str) -> Finding:
        """What that says of the credential, as any login's check does."""
        seen = self.of(api_format)
        if seen.models is not None or seen.taken:
            return Verified()
        if 401 in (seen.models_status, seen.status):
            return Refused("it answered 401")
        return Unverified(seen.why or f"it answered HTTP {seen.models_status or seen.status}")


async def discover(
    upstream: Upstream,
    base_url: str,
    secret: Secret | None,
    *,
    auth_header: str = "auto",
    headers: RawHeaders = (),
) -> Discovery:
    """Ask a service in every format; a credential is sent in each format's usual header."""
    found = []
    for api_format in FORMATS:
        mode = auth_header
        if mode == "auto" and api_format != "anthropic":
            mode = "bearer"
        value = secret.reveal() if secret is not None else ""
        header, _ = authorization(value, mode if value else "none")
        own = [*headers, *([header] if header is not None else [])]
        found.append(await _spoken(upstream, base_url, api_format, own))
    return Discovery(base_url=base_url, spoken=tuple(found))


async def _spoken(upstream: Upstream, base_url: str, api_format: Format, own: RawHeaders) -> Spoken:
    listing = await _ask(upstream, "GET", models_url(base_url, api_format), api_format, own)
    taking = await _ask(upstream, "POST", requests_url(base_url, api_format), api_format, own)
    why = next((a for a in (taking, listing) if isinstance(a, str)), "")
    return Spoken(
        format=api_format,
        url=requests_url(base_url, api_format),
        taken=None if isinstance(taking, str) else takes(taking.status, taking.data),
        status=None if isinstance(taking, str) else taking.status,
        models=None if isinstance(listing, str) else listed(listing.status, listing.data),
        models_status=None if isinstance(listing, str) else listing.status,
        why=why,
    )


def takes(status: int, data: object) -> bool | None:
    """Whether a path that answered an empty request so takes requests; None where that tells nothing."""
    said = json.dumps(data).lower() if isinstance(data, dict | list) else ""
    missing = any(word in said for word in _ASKED_FOR)
    if status in _TAKES:
        return True
    if status in _LACKS or (status == 404 and not missing):
        return False
    if 200 <= status < 300:  # a page for everything, or "unexpected endpoint" with a smile
        return bool(said) and not (isinstance(data, dict) and "error" in data)
    return True if missing else None


def listed(status: int, data: object) -> tuple[str, ...] | None:
    """The names in a list of models, None where it is none."""
    if status != 200 or not isinstance(data, dict):
        return None
    entries = data.get("data", data.get("models"))
    if not isinstance(entries, list):
        return None
    names = (_name(entry) for entry in entries[:MAX_MODELS] if isinstance(entry, dict))
    return tuple(dict.fromkeys(name for name in names if name))


def _name(entry: Mapping[str, object]) -> str:
    name = entry.get("id", entry.get("name"))
    return name if isinstance(name, str) and name.isprintable() and len(name) <= 200 else ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    data: object


async def _ask(
    upstream: Upstream, method: str, url: str, api_format: Format, own: RawHeaders
) -> _Answer | str:
    """The answer, or in words why there is none."""
    sent = [(b"accept", b"application/json"), (b"accept-encoding", b"identity"), *own]
    if api_format == "anthropic":
        sent.append((b"anthropic-version", b"2023-06-01"))
    if method == "POST":
        sent.append((b"content-type", b"application/json"))
    reply = await upstream.send(
        Call(
            method=method,
            url=url,
            headers=sent,
            body=b"{}" if method == "POST" else b"",
            connect_timeout_s=CONNECT_TIMEOUT_S,
            header_timeout_s=ANSWER_TIMEOUT_S,
            idle_timeout_s=ANSWER_TIMEOUT_S,
        )
    )
    if isinstance(reply, Unreachable):
        return f"it could not be reached ({reply.kind})"
    body = bytearray()
    try:
        async for chunk in reply.stream:
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                return "its answer is too large"
    except StreamCut:
        return "its answer broke off"
    finally:
        await reply.stream.aclose()
    try:
        return _Answer(reply.status, json.loads(bytes(body)))
    except (ValueError, RecursionError):
        return _Answer(reply.status, None)
