"""What maxpool itself answers, in the caller's API shape: refusals, errors, pings, model lists.

Never an invented 400 (clients resend it up to six times), never a `retry-after` above 60 s (it
stops Claude Code's retries and freezes SDKs), as measured on Claude Code 2.1.329. Decides nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from maxpool.core.eligibility import Reason
from maxpool.wire.words import LONGEST_S, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maxpool.core.lease import Refusal

MAX_RETRY_AFTER_S: Final = 60
MAX_NAMES: Final = 6
STOPPING: Final = "the server is stopping"
"""The detail of a refusal `paused` that no person caused."""
PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'
WHITESPACE: Final = b" "
"""Sent ahead of a JSON answer it changes nothing (RFC 8259 section 2)."""

_QUOTA: Final = (429, "rate_limit_error")
_BUSY: Final = (503, "overloaded_error")
_LOGIN: Final = (502, "api_error")
_UNKNOWN: Final = (404, "not_found_error")
_DENIED: Final = (403, "permission_error")
_TOO_LARGE: Final = (413, "request_too_large")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, ready to send; `content-length` is the server's to add."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class _Message(msgspec.Struct):
    message: str


class _Told(msgspec.Struct):
    error: _Message


@dataclass(frozen=True, slots=True)
class _Cause:
    """How one reason is told: status and type, the sentence, what the person can do."""

    answer: tuple[int, str]
    text: str
    advice: str = ""


_LOCKED_ADVICE: Final = "maxpool status tells which, and what to do."
_CAUSES: Final[Mapping[Reason, _Cause]] = MappingProxyType(
    {
        Reason.QUOTA: _Cause(_QUOTA, "the quota of every account is used up"),
        Reason.FAMILY_QUOTA: _Cause(_QUOTA, "the quota for this model family is used up"),
        Reason.RATE_LIMITED: _Cause(_QUOTA, "every account is at its rate limit"),
        Reason.SPEND_LIMIT: _Cause(_QUOTA, "the spend limit is reached", "Raise the limit."),
        Reason.CAP: _Cause(_QUOTA, "every account is at the cap set in the config"),
        Reason.RESERVE: _Cause(_QUOTA, "what is left is reserved in the config"),
        Reason.COOLDOWN: _Cause(_QUOTA, "every account is cooling down"),
        Reason.PROVISIONAL: _Cause(_QUOTA, "every account has just been rate limited"),
        Reason.KEY_PRICE: _Cause(_QUOTA, "only paid accounts are left and `key_price` holds them"),
        Reason.BUDGET: _Cause(_QUOTA, "the budget is used up"),
        Reason.BUCKET_EXHAUSTED: _Cause(_QUOTA, "the rate bucket set in the config is empty"),
        Reason.SLOTS_FULL: _Cause(_BUSY, "every slot is taken"),
        Reason.HOME_BUSY: _Cause(_BUSY, "the account that knows this session is full just now"),
        Reason.TRIAL: _Cause(_BUSY, "every account is being tried again after a failure"),
        Reason.QUEUED: _Cause(_BUSY, "others were waiting first"),
        Reason.QUEUE_FULL: _Cause(_BUSY, "the queue is full"),
        Reason.TIMED_OUT: _Cause(_BUSY, "no account became free within the waiting time"),
        Reason.THROTTLE: _Cause(_BUSY, "the upstream is limiting everyone"),
        Reason.MODEL_COOLING: _Cause(_BUSY, "the upstream has no capacity for this model"),
        Reason.BREAKER: _Cause(_BUSY, "every account has just failed several times"),
        Reason.NETWORK: _Cause(_BUSY, "the upstream cannot be reached", "Check the network."),
        Reason.DRAINING: _Cause(_BUSY, "every account is draining"),
        Reason.PAUSED: _Cause(_BUSY, "the pool is paused by hand", "Go on with: maxpool resume"),
        Reason.EXCLUDED: _Cause(_BUSY, "every account has been tried"),
        Reason.LOCKED_OUT: _Cause(
            _LOGIN, "every account is locked: its login died or its base_url moved", _LOCKED_ADVICE
        ),
        Reason.CLOSED: _Cause(_LOGIN, "the upstream has disabled every account"),
        Reason.FORBIDDEN: _Cause(_LOGIN, "the upstream forbids every account"),
        Reason.BILLING: _Cause(_LOGIN, "every account has a billing problem", "Check the balance."),
        Reason.DISABLED: _Cause(
            _LOGIN, "every account is disabled", "Enable one: maxpool accounts enable NAME."
        ),
        Reason.NO_ACCOUNTS: _Cause(
            _LOGIN, "no account is configured", "Add one: maxpool config show names the file."
        ),
        Reason.MODEL: _Cause(_UNKNOWN, "no account offers this model"),
        Reason.TARGET: _Cause(
            _UNKNOWN,
            "no account is a target of this model",
            "maxpool explain --model NAME tells what it stands for.",
        ),
        Reason.CROSS_PROVIDER: _Cause(
            _QUOTA, "only other vendors' accounts are left and `cross_provider` holds them"
        ),
        Reason.MODEL_MISSING: _Cause(_UNKNOWN, "no account offers this model"),
        Reason.NEEDS: _Cause(_UNKNOWN, "no account can take what this request contains"),
        Reason.CONTEXT: _Cause(
            _TOO_LARGE,
            "this request and the answer it allows are too long for every model that is left",
            "Shorten it, allow a shorter answer (max_tokens), or raise `context` where it is wrong.",
        ),
        Reason.FORMAT: _Cause(_UNKNOWN, "no account speaks this API"),
        Reason.OWNER: _Cause(_UNKNOWN, "the account that this request must use cannot serve it"),
        Reason.HOME: _Cause(
            _UNKNOWN, "the only accounts are homes: `maxpool run --home` uses them"
        ),
        Reason.OTHER_LOGIN: _Cause(
            _UNKNOWN, "that account is another client's own login, which serves nobody else"
        ),
        Reason.SPILL: _Cause(
            _QUOTA,
            "your own login cannot serve this, and no account may help out",
            "Which kinds may is said by `[pool] spill` in the config.",
        ),
        Reason.PROFILE: _Cause(_DENIED, "no account serves this profile"),
        Reason.PROGRAM: _Cause(
            _DENIED,
            "no account serves this program",
            "Subscriptions serve Claude Code only: add an account of kind api_key or provider.",
        ),
    }
)
_STOPPING: Final = _Cause(_BUSY, STOPPING)
_OTHER_CAUSE: Final = _Cause(_BUSY, "no account can serve now")


def error(
    status: int,
    kind: str,
    message: str,
    *,
    request_id: str,
    retry_after_s: float | None = None,
    should_retry: bool | None = None,
) -> Answer:
    """An error in the Anthropic envelope (platform.claude.com/docs/en/api/errors).

    `retry_after_s` is rounded up and left out beyond 60 s.
    """
    headers = [(b"content-type", b"application/json"), (b"request-id", _ascii(request_id))]
    if retry_after_s is not None and retry_after_s <= MAX_RETRY_AFTER_S:
        headers.append((b"retry-after", str(max(math.ceil(retry_after_s), 1)).encode()))
    if should_retry is not None:
        headers.append((b"x-should-retry", b"true" if should_retry else b"false"))
    body = _envelope(kind, message) | {"request_id": request_id}
    return Answer(status, tuple(headers), msgspec.json.encode(body))


def message_of(answer: Answer) -> str:
    """The message of an error of maxpool's own."""
    return msgspec.json.decode(answer.body, type=_Told).error.message


def refusal(
    refusal: Refusal,
    *,
    now: float,
    request_id: str,
    names: Mapping[str, str],
    unavailable: Mapping[str, int] | None = None,
    tz_offset_s: int = 0,
) -> Answer:
    """Why the pool serves nobody now, and when it will; `names`: the accounts it looked at.

    The time stands in the message (local time) and in `x-maxpool-retry-at` (UTC); `retry-after`
    carries it up to 60 s, beyond that the caller is told not to retry by itself. `maxpool` in the
    body says the same to programs, with how many accounts are `unavailable` for each reason.
    """
    cause = _CAUSES.get(refusal.reason, _OTHER_CAUSE)
    if refusal.reason is Reason.PAUSED and refusal.detail == STOPPING:
        cause = _STOPPING
    status, kind = cause.answer
    at = refusal.retry_at
    wait = None if at is None else max(at - now, 0.0)
    parts = [f"maxpool: {cause.text}{_listed(names)}."]
    extra: list[tuple[bytes, bytes]] = []
    if at is not None and wait is not None and wait <= LONGEST_S:
        parts.append(f"Next try {_clock(at, now, tz_offset_s)}, in {duration(wait)}.")
        extra.append((b"x-maxpool-retry-at", rfc3339(at).encode()))
    if cause.advice:
        parts.append(cause.advice)
    near = wait is not None and wait <= MAX_RETRY_AFTER_S
    unknown_but_soon = wait is None and cause.answer is _BUSY
    answer = error(
        status,
        kind,
        " ".join(parts),
        request_id=request_id,
        retry_after_s=wait,
        should_retry=None if near or unknown_but_soon else False,
    )
    facts = {
        "reason": refusal.reason.value,
        "retry_at": at,
        "unavailable": dict(refusal.counts if unavailable is None else unavailable),
    }
    body = _envelope(kind, " ".join(parts)) | {"request_id": request_id, "maxpool": facts}
    return Answer(answer.status, (*answer.headers, *extra), msgspec.json.encode(body))


def auth_failure(
    message: str = "maxpool: this server needs its own client key. Set it as your API key.",
    *,
    request_id: str,
) -> Answer:
    """Our own 401; without `x-should-retry: false` Claude Code hangs three minutes (0.7)."""
    return error(401, "authentication_error", message, request_id=request_id, should_retry=False)


def sse_error(kind: str, message: str) -> bytes:
    """An `error` event of a Messages stream."""
    return b"event: error\ndata: " + msgspec.json.encode(_envelope(kind, message)) + b"\n\n"


def models(ids: Iterable[str]) -> bytes:
    """The body of `GET /v1/models`, all on one page; unknown release dates are the epoch's."""
    listed = [_model(name) for name in ids]
    first, last = (listed[0]["id"], listed[-1]["id"]) if listed else (None, None)
    page = {"data": listed, "has_more": False, "first_id": first, "last_id": last}
    return msgspec.json.encode(page)


def model(name: str) -> bytes:
    """The body of `GET /v1/models/NAME`."""
    return msgspec.json.encode(_model(name))


def _model(name: str) -> dict[str, str]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "1970-01-01T00:00:00Z",
    }


def rfc3339(at: float) -> str:
    """A time in UTC, to the second."""
    return datetime.fromtimestamp(math.ceil(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _envelope(kind: str, message: str) -> dict[str, object]:
    told = message.encode("utf-8", "replace").decode()  # a caller's word may hold half a character
    return {"type": "error", "error": {"type": kind, "message": told}}


def _clock(at: float, now: float, tz_offset_s: int) -> str:
    zone = timezone(timedelta(seconds=tz_offset_s))
    form = "about %H:%M" if at - now < 20 * 3600 else "about %a %d %b %H:%M"
    return datetime.fromtimestamp(at, zone).strftime(form)


def _listed(names: Mapping[str, str]) -> str:
    shown = sorted(set(names.values()))
    if not shown:
        return ""
    more = f" and {len(shown) - MAX_NAMES} more" if len(shown) > MAX_NAMES else ""
    return f" ({', '.join(shown[:MAX_NAMES])}{more})"


def _ascii(text: str) -> bytes:
    """Header-safe bytes of an id."""
    return "".join(c for c in text if 32 < ord(c) < 127)[:128].encode()
