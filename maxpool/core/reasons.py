"""`Reason`: why an account (or the whole pool) cannot serve, and what kinds of reasons there are.

Words only; who has which reason is found out in `core/eligibility`.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an account (or the whole pool) cannot serve."""

    # ends by itself, at a known time
    QUOTA = "quota"
    FAMILY_QUOTA = "family_quota"
    RATE_LIMITED = "rate_limited"
    SPEND_LIMIT = "spend_limit"
    CAP = "cap"
    RESERVE = "reserve"
    COOLDOWN = "cooldown"
    PROVISIONAL = "provisional"
    BREAKER = "breaker"
    FORBIDDEN = "forbidden"
    BILLING = "billing"
    NETWORK = "network"
    MODEL_MISSING = "model_missing"
    MODEL_COOLING = "model_cooling"
    THROTTLE = "throttle"
    KEY_PRICE = "key_price"
    CROSS_PROVIDER = "cross_provider"
    HOME_BUSY = "home_busy"
    BUDGET = "budget"
    BUCKET_EXHAUSTED = "bucket_exhausted"
    # ends by an event
    SLOTS_FULL = "slots_full"
    TRIAL = "trial"
    QUEUED = "queued"
    # ends only when a person acts
    LOCKED_OUT = "locked_out"
    CLOSED = "closed"
    DISABLED = "disabled"
    DRAINING = "draining"
    PAUSED = "paused"
    # never ends for this request
    MODEL = "model"
    TARGET = "target"
    NEEDS = "needs"
    PROFILE = "profile"
    PROGRAM = "program"
    FORMAT = "format"
    CONTEXT = "context"
    OWNER = "owner"
    HOME = "home"
    OTHER_LOGIN = "other_login"
    SPILL = "spill"
    EXCLUDED = "excluded"
    # of the pool as a whole
    QUEUE_FULL = "queue_full"
    TIMED_OUT = "timed_out"
    NO_ACCOUNTS = "no_accounts"


TOLD = frozenset(
    {
        Reason.QUOTA,
        Reason.FAMILY_QUOTA,
        Reason.RATE_LIMITED,
        Reason.SPEND_LIMIT,
        Reason.FORBIDDEN,
        Reason.BILLING,
        Reason.LOCKED_OUT,
        Reason.CLOSED,
    }
)
"""What an upstream says of a login itself: whose login it is has to hear that from the upstream."""

SPENT = frozenset(
    {
        Reason.QUOTA,
        Reason.FAMILY_QUOTA,
        Reason.RATE_LIMITED,
        Reason.SPEND_LIMIT,
        Reason.BILLING,
        Reason.BUDGET,
        Reason.CAP,
        Reason.RESERVE,
        Reason.DRAINING,
    }
)
"""What keeps an account from doing more work, and not from showing what it holds already."""

COOLING = frozenset(
    {
        Reason.COOLDOWN,
        Reason.PROVISIONAL,
        Reason.BREAKER,
        Reason.NETWORK,
        Reason.MODEL_COOLING,
    }
)
"""Pauses of ours after a failure, which an account may well have got over before they end."""

TRANSLATED = frozenset({"anthropic", "openai-chat", "generate"})
"""Formats into which every request is translated that has not come in them."""

BY_EVENT = frozenset(
    {Reason.SLOTS_FULL, Reason.TRIAL, Reason.QUEUED, Reason.PAUSED, Reason.THROTTLE}
)
"""Reasons whose end no clock knows, but which do end while requests run."""

NO_TARGET = frozenset({Reason.TARGET, Reason.OTHER_LOGIN})
"""An account that has nothing to do with what was asked for."""
