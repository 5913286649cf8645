"""Status + headers + first bytes -> `Outcome`: the outcome table as data.

`RULES` is that table: the first rule whose condition holds names the outcome. Nothing here knows
accounts, and what an outcome does to one is decided in `core/`. Texts are matched only where the
upstream gives nothing better, and all of them stand in `TEXTS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

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
    Outcome,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    SpendLimited,
    Success,
    TransientFailure,
)
from maxpool.core.ratelimit import Rejection, evidence, parse_retry_after, read_headers
from maxpool.core.rejected import ContextExceeded
from maxpool.core.values import value
from maxpool.wire.meter import usage_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.wire.verdict_provider import Failures

MAX_BODY_BYTES: Final = 64 * 1024
FINGERPRINT_CHARS: Final = 80

# Lower case, as long as needed to be told apart; sources: public captures and issue threads, 2026.
TEXTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "auth_final": (
            "oauth token has been revoked",
            "no longer a member of the organization",
            "oauth authentication is currently not allowed",
        ),
        "closed": ("this organization has been disabled",),
        "credit": ("credit balance is too low",),
        "extra_usage": ("out of extra usage", "extra usage is required"),
        "context": ("prompt is too long", "exceed context limit"),
    }
)
# Machine-readable codes (anthropic-py 2.11, types/shared/*_error_details.py) outrank any text.
CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "enforced_spend_limit_reached": "spend",
        "contract_spend_limit_reached": "spend",
        "ramp_limit_exceeded": "ramp",
        "organization_on_hold": "closed",
        "oauth_org_not_allowed": "auth_final",
        "claude_code_version_too_old": "request",
    }
)
_STATUS_OF_TYPE: Final[Mapping[str, int]] = MappingProxyType(
    {
        "invalid_request_error": 400,
        "authentication_error": 401,
        "billing_error": 402,
        "permission_error": 403,
        "not_found_error": 404,
        "conflict_error": 409,
        "request_too_large": 413,
        "rate_limit_error": 429,
        "api_error": 500,
        "timeout_error": 504,
        "overloaded_error": 529,
    }
)
_IDS: Final = re.compile(r"req_\w+|[\w.+-]+@[\w.-]+|[0-9a-f]{8,}|\d+")


@value(frozen=True, slots=True)
class Facts:
    """An error answer, read once: what the rules may ask about."""

    status: int
    kind: str
    code: str
    text: str
    model: str
    retry_after_s: float | None
    proof: Rejection | BucketReading | None

    def says(self, meaning: str) -> bool:
        """Whether the code, or for want of one the text, means this."""
        if self.code in CODES:
            return CODES[self.code] == meaning
        return any(phrase in self.text for phrase in TEXTS.get(meaning, ()))

    @property
    def window(self) -> Rejection | None:
        """The window a 429 closes, when headers name it."""
        proof = self.proof if isinstance(self.proof, Rejection) else None
        return proof if proof is not None and not proof.inferred else None

    @property
    def implied(self) -> Rejection | None:
        """The window a 429 closes, when it follows only from what its headers leave out."""
        proof = self.proof if isinstance(self.proof, Rejection) else None
        return proof if proof is not None and proof.inferred else None

    @property
    def fingerprint(self) -> str:
        """Alike for the same trouble on two accounts: no ids, no numbers."""
        shape = _IDS.sub("#", self.text[:256])
        return f"{self.status}:{self.kind}:{shape}"[:FINGERPRINT_CHARS]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: `when` it holds, `then` is the outcome."""

    name: str
    when: Callable[[Facts], bool]
    then: Callable[[Facts], Outcome]


def quota_of(proof: Rejection | None) -> Outcome:
    """The outcome of a window that is closed; None: nothing proves that it was quota."""
    if proof is None:
        return Burst()
    family = proof.window.partition(":")[2]
    if family:
        return FamilyQuotaExceeded(family, proof.until, proof.relative)
    return QuotaExceeded(proof.window, proof.until, proof.relative)


def _rate_limited(proof: Rejection | BucketReading | None) -> Outcome:
    if not isinstance(proof, BucketReading):
        return RateLimited()
    return RateLimited(proof.reset_at, proof.relative)


def _names_model(facts: Facts) -> bool:
    return bool(facts.model) and facts.model.lower() in facts.text


RULES: Final[tuple[Rule, ...]] = (
    Rule("redirect", lambda f: 300 <= f.status < 400, lambda _: RequestRejected(502)),
    Rule(
        "spend limit by code",
        lambda f: f.status in (400, 402, 403, 429) and f.says("spend"),
        lambda _: SpendLimited(),
    ),
    Rule(
        "gateway spend limit",
        lambda f: f.status == 429 and f.kind == "billing_error",
        lambda _: SpendLimited(),
    ),
    Rule(
        "growth cap by code",
        lambda f: f.status == 429 and f.says("ramp"),
        lambda f: Burst(f.retry_after_s, f.fingerprint),
    ),
    Rule(
        "quota by headers",
        lambda f: f.status == 429 and f.window is not None,
        lambda f: quota_of(f.window),
    ),
    Rule(
        "extra usage",
        lambda f: f.status in (400, 429) and f.says("extra_usage"),
        lambda f: RequestRejected(f.status, retry_other=True),
    ),
    Rule(
        "quota by what is left out",
        lambda f: f.status == 429 and f.implied is not None,
        lambda f: quota_of(f.implied),
    ),
    Rule(
        "empty bucket",
        lambda f: f.status == 429 and isinstance(f.proof, BucketReading),
        lambda f: _rate_limited(f.proof),
    ),
    Rule("burst", lambda f: f.status == 429, lambda f: Burst(f.retry_after_s, f.fingerprint)),
    Rule(
        "overloaded",
        lambda f: f.status == 529 or (f.status >= 500 and f.kind == "overloaded_error"),
        lambda f: Overloaded(f.model, f.fingerprint),
    ),
    Rule(
        "transient",
        lambda f: f.status >= 500 or f.status in (408, 409),
        lambda f: TransientFailure(f.status),
    ),
    Rule(
        "account closed",
        lambda f: f.status in (400, 403) and f.says("closed"),
        lambda f: AccountClosed(f.code or f.text[:FINGERPRINT_CHARS]),
    ),
    Rule(
        "login over",
        lambda f: f.status in (401, 403) and f.says("auth_final"),
        lambda f: AuthFinal(f.code or f.text[:FINGERPRINT_CHARS]),
    ),
    Rule("auth rejected", lambda f: f.status == 401, lambda _: AuthRejected()),
    Rule("forbidden", lambda f: f.status == 403, lambda _: Forbidden()),
    Rule(
        "billing",
        lambda f: f.status == 402 or (f.status == 400 and f.says("credit")),
        lambda _: BillingFailure(),
    ),
    Rule(
        "model missing",
        lambda f: f.status == 404 and f.kind == "not_found_error" and _names_model(f),
        lambda f: ModelMissing(f.model),
    ),
    Rule(
        "context",
        lambda f: f.status == 400 and f.says("context"),
        lambda f: ContextExceeded(f.status),
    ),
    Rule("request rejected", lambda f: f.status >= 400, lambda f: RequestRejected(f.status)),
    Rule("no answer at all", lambda _: True, lambda _: RequestRejected(502)),
)


def classify(
    status: int, headers: Mapping[str, str], body: bytes, *, model: str, now: float
) -> Outcome:
    """The outcome of an answer that is not a 2xx.

    `headers`: lower-case names. `body`: its first bytes, decoded; anything at all. `model`: as it
    was sent to this upstream.
    """
    facts = read_facts(status, headers, body, model=model, now=now)
    return next(rule for rule in RULES if rule.when(facts)).then(facts)


def read_facts(
    status: int, headers: Mapping[str, str], body: bytes, *, model: str, now: float
) -> Facts:
    """What the rules may ask of an error answer."""
    kind, code, text = _error(body)
    proof = evidence(read_headers(headers, now, model), status) if status == 429 else None
    wait = parse_retry_after(headers.get("retry-after"), now)
    return Facts(status, kind, code, text, model, wait, proof)


def classify_error_event(data: bytes, model: str, failures: Failures | None = None) -> Outcome:
    """The outcome of an `error` event that opens a 200 stream: as if it had been the status.

    `failures`: how the account's errors are read, where it is another vendor's.
    """
    kind, _, _ = _error(data)
    judge = classify if failures is None else failures.classify
    return judge(_STATUS_OF_TYPE.get(kind, 500), {}, data, model=model, now=0.0)


def classify_answer(content_type: str, body: bytes, *, gated: bool = False) -> Success | Garbage:
    """A 200 that is no stream: an answer with its usage, or none (claim R4).

    `gated`: one that ended of its own accord and says nothing is none either.
    """
    start = body[:64].lstrip()
    if not start and not body.strip():
        return Garbage("empty")
    if start.startswith(b"<") or content_type.lower().startswith("text/html"):
        return Garbage("html")
    try:
        answer = _decode_shape(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Garbage("json")
    if answer.type == "error":
        return Garbage("error")
    if gated and answer.stop_reason == "end_turn" and _says_nothing(answer.content):
        return Garbage("empty")
    return Success(usage_in(answer.usage))


class _Shape(msgspec.Struct):
    type: object = None
    stop_reason: object = None
    content: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()


_decode_shape: Final = msgspec.json.Decoder(_Shape).decode


def _says_nothing(content: msgspec.Raw) -> bool:
    """Whether no block of an answer holds anything."""
    told = bytes(content)
    blocks = msgspec.json.decode(told) if told else None
    return not blocks or (
        isinstance(blocks, list)
        and all(
            isinstance(b, dict) and b.get("type") == "text" and not b.get("text") for b in blocks
        )
    )


def _error(body: bytes) -> tuple[str, str, str]:
    """(type, error_code, lower-case message) of the API's envelope; junk reads as its own text."""
    head = body[:MAX_BODY_BYTES]
    try:
        envelope = msgspec.json.decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", "", head.decode("utf-8", "replace").lower()
    error = envelope.get("error") if isinstance(envelope, dict) else None
    if not isinstance(error, dict):
        return "", "", head.decode("utf-8", "replace").lower()
    details = error.get("details")
    places = details if isinstance(details, list) else [details]
    codes = [place.get("error_code") for place in places if isinstance(place, dict)]
    code = next((code for code in codes if isinstance(code, str)), "")
    kind, message = error.get("type"), error.get("message")
    return (
        kind if isinstance(kind, str) else "",
        code,
        message.lower() if isinstance(message, str) else "",
    )
