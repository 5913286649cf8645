"""The kinds of value a config key can hold, as pydantic types with messages for people.

Each type checks one value by itself; what depends on two keys is in `checks`. A message never
contains the value, because a value may be a secret pasted into the wrong place.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from maxpool.config.units import format_duration, format_size, parse_duration, parse_size


def file_key(attribute: str) -> str:
    """The key in the file for an attribute: attributes carry their unit, keys carry it in the value."""
    return attribute.removesuffix("_s")


class Section(BaseModel):
    """What every part of the config has in common: frozen, exact types, no unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=file_key,
        validate_by_name=True,
        validate_by_alias=True,
    )


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """The error for one value: `message` completes the sentence "KEY ...", `hint` is what to write."""
    return PydanticCustomError("config", "{message}", {"message": message, "hint": hint})


# -- amounts -----------------------------------------------------------------------------------


def _positive_duration(value: object) -> float:
    seconds = parse_duration(value)
    if seconds == 0:
        raise wrong("must be longer than zero")
    return seconds


def _positive_size(value: object) -> int:
    count = parse_size(value)
    if count == 0:
        raise wrong("must be larger than zero")
    return count


_AS_DURATION: Final = PlainSerializer(format_duration, return_type=str, when_used="json")

Duration = Annotated[float, BeforeValidator(_positive_duration), _AS_DURATION]
DurationOrZero = Annotated[float, BeforeValidator(parse_duration), _AS_DURATION]
Size = Annotated[
    int,
    BeforeValidator(_positive_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Port = Annotated[int, Field(ge=0, le=65535)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def parse_key_price(text: str) -> tuple[str, float | None]:
    """`("never", None)`, `("always", None)` or `("after", seconds)`; ValueError otherwise."""
    if text in ("never", "always"):
        return text, None
    word, _, wait = text.partition(":")
    if word == "after" and wait:
        return "after", parse_duration(wait)
    raise ValueError('must be "never", "always" or "after:" and a duration')


def _key_price(text: str) -> str:
    try:
        parse_key_price(text)
    except ValueError as error:
        raise wrong('must be "never", "always" or "after:DURATION"', "after:20s") from error
    return text


KeyPrice = Annotated[str, AfterValidator(_key_price)]


def _day(value: object) -> date:
    """A day as TOML or text writes it; no number, which would count as seconds since 1970."""
    with suppress(ValueError):
        if isinstance(value, str):
            return date.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
    raise wrong("must be a day such as 2026-12-31")


Day = Annotated[date, BeforeValidator(_day)]
HttpClient = Literal["builtin", "httpx"]
Strategy = Literal[
    "cost",
    "sticky",
    "drain-soonest",
    "least-used",
    "round-robin",
    "ordered",
    "weighted",
    "random",
]

# -- names and lists ---------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._@+-]{0,62}[A-Za-z0-9._@+-])?")
_PLAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # RFC 9110 section 5.6.2
_WINDOW = re.compile(r"(?:5h|7d)(?::[a-z0-9][a-z0-9_.-]{0,31})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _name(text: str) -> str:
    # It goes into a response header and into terminal output: visible ASCII only.
    if not _NAME.fullmatch(text):
        raise wrong(
            "must be 1 to 64 letters, digits, spaces or . _ @ + -, beginning with a letter or digit"
        )
    return text


def _plan(text: str) -> str:
    if not _PLAN.fullmatch(text):
        raise wrong("must be a plan's name such as max_20x, max_5x, pro, team or enterprise")
    return text


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise wrong("must be a header name")
    return text


def _window(text: str) -> str:
    if not _WINDOW.fullmatch(text):
        raise wrong('must name a quota window: "5h", "7d" or "7d:FAMILY"')
    return text


def _sha256(text: str) -> str:
    if not _SHA256.fullmatch(text.lower()):
        raise wrong("must be the SHA-256 of the key: 64 hexadecimal digits")
    return text.lower()


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise wrong('must be an IP address or network such as "192.168.1.0/24"') from error


def _origin(text: str) -> str:
    """As browsers write it, who name no usual port (WHATWG URL standard, 4.7)."""
    parts = urlsplit(text)
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme)
    if (
        usual is None
        or not parts.netloc
        or f"{parts.scheme}://{parts.netloc}" != text
        or parts.netloc.endswith((usual, ":"))
        or re.search(r"[@*\s]", parts.netloc)
    ):
        raise wrong(
            'must be one exact origin such as "https://tool.example", without path, wildcard or '
            "usual port"
        )
    return text.lower()


def _host(text: str) -> str:
    if not text or re.search(r"[\s/*@]", text):
        raise wrong("must be one exact host name, without scheme, path or wildcard")
    return text.lower()


def _url_path(text: str) -> str:
    if not text.startswith("/v1/") or re.search(r"[\s?#{}*]", text):
        raise wrong('must be one exact path under "/v1/", such as "/v1/complete"')
    return text


AUTH_WORDS: Final = frozenset({"auto", "bearer", "x-api-key", "none"})
# Framing belongs to the HTTP client (RFC 9110 section 7.6.1), and what clients sent is never sent on.
_FRAMING: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade"}
    | {"accept-encoding", "cookie"}
)
_ANSWER_EVENTS: Final = frozenset(
    {"message_start", "message_delta", "message_stop", "ping", "error"}
    | {"content_block_start", "content_block_delta", "content_block_stop"}
)


def _auth_header(text: str) -> str:
    """`Bearer` is meant as `bearer`, and not as a header of that name."""
    if text.lower() in AUTH_WORDS:
        return text.lower()
    if text.lower() in _FRAMING:
        raise wrong(
            f"may not be {text.lower()}, which carries no credential",
            "auto, bearer, x-api-key, none or the name of a header",
        )
    return _token(text)


def _model_name(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,200}", text) or "*" in text:
        raise wrong(
            "must be one model name, without spaces or *", 'models = { "PATTERN" = "NAME" }'
        )
    return text


def _event_name(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,100}", text):
        raise wrong("must be the name of an event, without spaces")
    if text in _ANSWER_EVENTS:
        raise wrong(f"may not name {text}, which is part of every answer")
    return text


Name = Annotated[str, AfterValidator(_name)]
Plan = Annotated[str, AfterValidator(_plan)]
HeaderName = Annotated[str, AfterValidator(_token)]
AuthHeader = Annotated[str, AfterValidator(_auth_header)]
ModelName = Annotated[str, AfterValidator(_model_name)]
EventName = Annotated[str, AfterValidator(_event_name)]
Window = Annotated[str, AfterValidator(_window)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
Network = Annotated[str, AfterValidator(_network)]
Origin = Annotated[str, AfterValidator(_origin)]
Host = Annotated[str, AfterValidator(_host)]
UrlPath = Annotated[str, AfterValidator(_url_path)]
Word = Annotated[str, Field(min_length=1, max_length=200)]

# TOML gives lists; the settings keep tuples, so that nothing can change them.
Names = Annotated[tuple[Word, ...], Field(strict=False)]

# Credentials have their own keys.
_OURS = _FRAMING | {"authorization", "x-api-key", "proxy-authorization"}


def _header_name(text: str) -> str:
    if text.lower() in _OURS:
        raise wrong(
            f"may not set {text.lower()}, which maxpool writes itself", "use secret and auth_header"
        )
    return _token(text)


def _header_value(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise wrong("must be one line of visible ASCII")
    return text


HeaderText = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]

# -- places ------------------------------------------------------------------------------------


def _path(value: object, info: ValidationInfo) -> object:
    """A relative path is meant from the folder of the config file that names it."""
    if not isinstance(value, str):
        return value
    return beside(value, info.context)


def beside(text: str, context: object) -> Path:
    """`text` as a path: `~` is the home folder, relative means beside the config file."""
    path = Path(text).expanduser()
    folder = context.get("folder") if isinstance(context, dict) else None
    return folder / path if isinstance(folder, Path) else path


FilePath = Annotated[
    Path,
    Field(strict=False),
    BeforeValidator(_path),
    PlainSerializer(str, return_type=str, when_used="json"),
]


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise wrong("must be a URL such as https://api.example.com") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise wrong("must be a URL that begins with https:// (or http:// on this machine)")
    if parts.username is not None or parts.password is not None:
        raise wrong("must not hold a user name or password", "give the key as secret")
    if parts.query or parts.fragment or re.search(r"[\s?#]", text):
        raise wrong("must not hold a query or a fragment")
    return text.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's loopback."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


# -- secrets -----------------------------------------------------------------------------------

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$\{?(?:env:)?[A-Za-z_]\w*\}?|[A-Z][A-Z0-9_]*", re.ASCII)
_REFERENCES: Final = '"env:NAME", "file:PATH" or "command:PROGRAM ARGUMENTS"'


def _reference(text: str, info: ValidationInfo) -> str:
    """A reference to a secret, checked by shape; `file:` paths are made absolute."""
    if _VARIABLE.fullmatch(text):
        raise wrong(
            "must say where the secret is; this looks like an environment variable",
            f'{info.field_name} = "env:NAME", with the name of the variable and without a $',
        )
    form, found, rest = text.partition(":")
    if not found or form not in ("env", "file", "command"):
        raise wrong(
            "must say where the secret is, never the secret itself",
            "put it into an environment variable or a file of mode 0600 and write " + _REFERENCES,
        )
    if form == "file":
        if not rest:
            raise wrong("must name a file", "file:PATH")
        return f"file:{beside(rest, info.context)}"
    if form == "env" and not _ENV_NAME.fullmatch(rest):
        raise wrong("must name an environment variable", "env:NAME")
    if form == "command" and not _arguments(rest):
        raise wrong(
            "must be a program and its arguments; no shell reads it", "command:pass show claude"
        )
    return text


def _arguments(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def key_reference(text: str, info: ValidationInfo) -> str:
    """A reference to a secret that no program is run for."""
    if text.startswith("command:"):
        raise wrong("may be env:NAME or file:PATH", "env:NAME")
    return _reference(text, info)


SecretReference = Annotated[str, AfterValidator(_reference)]
KeyReference = Annotated[str, AfterValidator(key_reference)]
