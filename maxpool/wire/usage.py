"""The answers of `/api/oauth/usage` and `/api/oauth/profile`, in the vendor's shape, for the pool.

What reads them is `core/ratelimit_usage` and Claude Code's own meters: utilization is 0..100 here, and
`limits[]` is the current source beside the flat keys. Writes values, reckons nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from maxpool.wire.replies import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
CRITICAL: Final = 0.9
"""From this share of a window on it is shown as critical."""


class Share(Protocol):
    """How much of one window is used, and when it resets."""

    @property
    def utilization(self) -> float:
        """A share, 0..1."""
        ...

    @property
    def reset_at(self) -> float | None:
        """Epoch seconds."""
        ...


def usage_document(windows: Mapping[str, Share]) -> bytes:
    """The pool's use; `windows`: `5h`, `7d` and `7d:FAMILY`, those that are known."""
    told = {
        "five_hour": _flat(windows.get("5h")),
        "seven_day": _flat(windows.get("7d")),
        "seven_day_oauth_apps": None,
        "seven_day_opus": _flat(windows.get("7d:opus")),
        "seven_day_sonnet": _flat(windows.get("7d:sonnet")),
        "extra_usage": {
            "is_enabled": False,
            "monthly_limit": None,
            "used_credits": None,
            "utilization": None,
        },
        "limits": [_limit(name, share) for name, share in sorted(windows.items())],
    }
    return msgspec.json.encode(told)


def profile_document() -> bytes:
    """Nobody in particular: whose accounts are behind this server is not told to its clients."""
    person = {
        "uuid": NOBODY,
        "email": "pool@maxpool.invalid",
        "display_name": "maxpool",
        "full_name": "maxpool",
        "has_claude_max": False,
        "has_claude_pro": False,
    }
    organization = {
        "uuid": NOBODY,
        "name": "maxpool",
        "organization_type": None,
        "rate_limit_tier": None,
    }
    return msgspec.json.encode({"account": person, "organization": organization})


def _flat(share: Share | None) -> dict[str, Any] | None:
    if share is None:
        return None
    return {"utilization": round(share.utilization * 100, 1), "resets_at": _reset(share)}


def _limit(name: str, share: Share) -> dict[str, Any]:
    family = name.partition(":")[2]
    kind = "weekly_scoped" if family else "session" if name == "5h" else "weekly_all"
    model = {"id": None, "display_name": family.replace("-", " ").capitalize()}
    return {
        "kind": kind,
        "group": "session" if kind == "session" else "weekly",
        "percent": round(share.utilization * 100),
        "severity": "critical" if share.utilization >= CRITICAL else "normal",
        "resets_at": _reset(share),
        "scope": {"model": model, "surface": None} if family else None,
        "is_active": share.utilization > 0,
    }


def _reset(share: Share) -> str | None:
    return None if share.reset_at is None else rfc3339(share.reset_at)
