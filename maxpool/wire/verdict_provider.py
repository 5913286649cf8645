"""What an error of another vendor means: classes of failures, told by status and words, as data.

`SIGNS` is the table for accounts of kind `provider`, whose upstreams share neither types nor headers;
an owner's own signs stand before it. `ACTIONS` is what a request does then. What it does to the account
is decided in `core/`, and Anthropic's own errors are read in `wire/verdict`.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from maxpool.core.lease import (
    AccountClosed,
    AuthFinal,
    AuthRejected,
    BillingFailure,
    BucketReading,
    Burst,
    FamilyQuotaExceeded,
    Forbidden,
    Garbage,
    ModelMissing,
    NetworkFailure,
    Outcome,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    SpendLimited,
    TransientFailure,
)
from maxpool.core.ratelimit import (
    Rejection,
    empty_bucket,
    evidence,
    parse_retry_after,
    read_headers,
)
from maxpool.core.rejected import ContextExceeded, PolicyRefused
from maxpool.core.values import value
from maxpool.wire.verdict import MAX_BODY_BYTES, quota_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from maxpool.core.ratelimit import HeaderReport

Action = Literal["pass", "next", "again"]
"""`pass`: the caller gets it. `next`: the next target. `again`: here again, then the next target."""

MAX_TEXT_CHARS: Final = 4096
"""Of an error's words; what it says of itself stands at its beginning."""

NAMED: Final = "{model}"
"""Stands in a sign for the name under which the model was asked for."""

_DEPTH: Final = 4
_TELLING: Final = frozenset(
    {"error", "errors", "type", "code", "status", "reason", "reasons", "message", "msg"}
    | {"detail", "details", "error_code", "error_message", "metadata", "raw", "upstream_type"}
)


class FailureClass(StrEnum):
    """What an error is about; the names that the config uses."""

    POLICY = "policy"
    CONTEXT = "context"
    BILLING = "billing"
    OVERLOADED = "overloaded"
    MODEL = "model"
    AUTH = "auth"
    QUOTA = "quota"
    FORBIDDEN = "forbidden"
    TRANSIENT = "transient"
    REQUEST = "request"


_C: Final = FailureClass
_SERVER: Final = range(500, 600)
ANY_ERROR: Final = range(400, 600)

ACTIONS: Final[Mapping[FailureClass, Action]] = MappingProxyType(
    {_C.REQUEST: "pass", _C.POLICY: "pass", _C.TRANSIENT: "again"}
)
"""What is not named here goes to the next target."""


@value(frozen=True, slots=True)
class Sign:
    """One row: these statuses, and where there are `words` (lower case), one of them in the error."""

    means: FailureClass
    statuses: tuple[int, ...] | range
    words: tuple[str, ...] = ()

    def fits(self, status: int, text: str, model: str) -> bool:
        """Whether an error shows it; `text` and `model` in lower case."""
        if status not in self.statuses:
            return False
        return not self.words or any(
            (bool(model) and model in text) if word == NAMED else word in text
            for word in self.words
        )


# Codes and phrases of OpenAI (platform.openai.com/docs/guides/error-codes), Azure, OpenRouter, Groq,
# Mistral, DeepSeek, xAI, Gemini's OpenAI endpoint, Moonshot, DashScope, vLLM, llama.cpp, LM Studio, Ollama.
SIGNS: Final = (
    Sign(
        _C.POLICY,
        (400, 403, 422, 451),
        (
            "content_policy_violation",
            "content_filter",
            "responsibleaipolicyviolation",
            "usage polic",
            "content filtering policy",
            "moderation_blocked",
            "invalid_prompt",
            "requires moderation",
            "input was flagged",
            "prohibited_content",
            "content exists risk",
            "data_inspection_failed",
            "rejected by the safety system",
            "rejected by our safety system",
        ),
    ),
    Sign(
        _C.CONTEXT,
        (400, 413, 422),
        (
            "context_length_exceeded",
            "maximum context length",
            "context length",
            "context window",
            "prompt is too long",
            "maximum prompt length",
            "exceed_context_size",
            "too many tokens",
            "exceeds the maximum number of tokens",
            "`inputs` tokens + `max_new_tokens`",
        ),
    ),
    Sign(_C.CONTEXT, (413, 429), ("request too large for",)),
    Sign(
        _C.BILLING,
        (400, 403, 429),
        (
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "arrearage",
            "insufficient_balance",
            "insufficient balance",
            "insufficient credits",
            "any credits",
            "credit balance is too low",
            "run out of credits",
            "used all available credits",
            "exceeded_current_quota_error",
        ),
    ),
    Sign(_C.BILLING, (402,)),
    Sign(_C.OVERLOADED, (498, 529)),
    Sign(
        _C.OVERLOADED,
        (429, *_SERVER),
        ("overloaded", "at capacity", "no capacity", "capacity exceeded", "server is busy"),
    ),
    Sign(
        _C.MODEL,
        (400, 403, 404, 410, 422),
        (
            "model_not_found",
            "model not found",
            "model not exist",
            "not a valid model id",
            "invalid model",
            "invalid_model",
            "unknown model",
            "no endpoints found for",
        ),
    ),
    Sign(_C.MODEL, (404, 410), ("model", NAMED)),
    Sign(
        _C.AUTH,
        (400, 403),
        (
            "invalid_api_key",
            "api_key_invalid",
            "incorrect api key",
            "invalid api key",
            "api key not valid",
            "account_deactivated",
        ),
    ),
    Sign(_C.AUTH, (401,)),
    Sign(_C.QUOTA, (403,), ("rate_limit_exceeded", "rate limit exceeded", "quota exceeded")),
    Sign(_C.QUOTA, (429,)),
    Sign(_C.FORBIDDEN, (403,)),
    Sign(_C.TRANSIENT, (408, 409, 425, *_SERVER)),
)

_CLASS_OF: Final[Mapping[type, FailureClass]] = MappingProxyType(
    {
        PolicyRefused: _C.POLICY,
        ContextExceeded: _C.CONTEXT,
        BillingFailure: _C.BILLING,
        SpendLimited: _C.BILLING,
        Overloaded: _C.OVERLOADED,
        ModelMissing: _C.MODEL,
        AuthRejected: _C.AUTH,
        AuthFinal: _C.AUTH,
        AccountClosed: _C.FORBIDDEN,
        Forbidden: _C.FORBIDDEN,
        QuotaExceeded: _C.QUOTA,
        FamilyQuotaExceeded: _C.QUOTA,
        RateLimited: _C.QUOTA,
        Burst: _C.QUOTA,
        TransientFailure: _C.TRANSIENT,
        NetworkFailure: _C.TRANSIENT,
        Garbage: _C.TRANSIENT,
    }
)


def class_of(outcome: Outcome) -> FailureClass:
    """The class that an outcome is of."""
    return _CLASS_OF.get(type(outcome), _C.REQUEST)


@value(frozen=True, slots=True, kw_only=True)
class Failures:
    """How one account's failures are read and met: its owner's signs and actions, then the usual ones.

    `tries`: of one request at one account, where it tries again after failures that may pass.
    """

    signs: tuple[Sign, ...] = SIGNS
    actions: Mapping[FailureClass, Action] = field(default_factory=lambda: ACTIONS)
    tries: int = 3

    def action(self, outcome: Outcome) -> Action:
        """What the request does after it."""
        return self.actions.get(class_of(outcome), "next")

    def classify(
        self, status: int, headers: Mapping[str, str], body: bytes, *, model: str, now: float
    ) -> Outcome:
        """The outcome of an answer that is not a 2xx; takes what `wire.verdict.classify` takes."""
        if not 400 <= status < 600:
            return RequestRejected(502)  # a redirect is never followed
        text, asked = words_of(body), model.lower()
        report = read_headers(headers, now, model)
        found = next((s.means for s in self.signs if s.fits(status, text, asked)), _C.REQUEST)
        if found is _C.FORBIDDEN and empty_bucket(report) is not None:
            found = _C.QUOTA
        if found is _C.QUOTA:
            return _quota(status, headers, report, now)
        return _OUTCOMES[found](status, model)


_OUTCOMES: Final[Mapping[FailureClass, Callable[[int, str], Outcome]]] = MappingProxyType(
    {
        _C.POLICY: lambda status, _: PolicyRefused(status),
        _C.CONTEXT: lambda status, _: ContextExceeded(status),
        _C.BILLING: lambda *_: BillingFailure(),
        _C.OVERLOADED: lambda status, model: Overloaded(model, str(status)),
        _C.MODEL: lambda _, model: ModelMissing(model),
        _C.AUTH: lambda *_: AuthRejected(),
        _C.FORBIDDEN: lambda *_: Forbidden(),
        _C.TRANSIENT: lambda status, _: TransientFailure(status),
        _C.REQUEST: lambda status, _: RequestRejected(status),
    }
)


def _quota(status: int, headers: Mapping[str, str], report: HeaderReport, now: float) -> Outcome:
    """A used up window where one is named, else until the time that the answer tells."""
    proof = evidence(report, status)
    if isinstance(proof, Rejection):
        return quota_of(proof)
    wait_s = parse_retry_after(headers.get("retry-after"), now)
    if wait_s is not None:
        return RateLimited(now + wait_s, relative=True)
    bucket = proof if isinstance(proof, BucketReading) else empty_bucket(report)
    return RateLimited() if bucket is None else RateLimited(bucket.reset_at, bucket.relative)


def words_of(body: bytes) -> str:
    """Type, codes and message of an error of whatever envelope, in lower case; a page of HTML says nothing."""
    head = body[:MAX_BODY_BYTES]
    try:
        told = msgspec.json.decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = "" if head.lstrip().startswith(b"<") else head.decode("utf-8", "replace")
        return text[:MAX_TEXT_CHARS].lower()
    return " ".join(_words(told, _DEPTH))[:MAX_TEXT_CHARS].lower()


def _words(told: object, depth: int) -> Iterator[str]:
    """What is said of the error itself: never what it repeats of the request."""
    if isinstance(told, dict) and depth:
        for key, inner in told.items():
            if key in _TELLING:
                yield from _words(inner, depth - 1)
    elif isinstance(told, list) and depth:
        for inner in told[:8]:
            yield from _words(inner, depth - 1)
    elif isinstance(told, str | int):
        yield str(told)
