from __future__ import annotations

from typing import Any

from maxpool.cli.accounts_view import listed, sessions, shown
from maxpool.cli.tables import Table, plain

NOW = 1_790_000_000.0
COUNTS = {"requests": 3, "failed": 1, "tokens_in": 1_500, "tokens_out": 20, "cache_read": 2_500_000}


def account(name: str = "max-1", **given: Any) -> dict[str, Any]:
    return {
        "id": f"a-{name}",
        "name": name,
        "kind": "subscription",
        "plan": "max_20x",
        "provider": "anthropic",
        "state": "ready",
        "unavailable": None,
        "in_flight": 2,
        "slots": 50,
        "sessions": 4,
        "priority": 0,
        "tier": 0,
        "weight": 1.0,
        "caps": {},
        "reserve": {},
        "emergency": False,
        "serves": ["claude-code"],
        "models": {},
        "base_url": "https://api.anthropic.com",
        "secret": "file:/x",
        "windows": [
            {
                "window": "5h",
                "utilization": 0.5,
                "estimated": 0.57,
                "reset_at": NOW + 3600,
                "benched_until": None,
            }
        ],
        "last_hour": COUNTS,
        "total": COUNTS,
        "last_error": None,
        "preferred": False,
        "runtime": False,
        "overrides": {},
        **given,
    }


def text(parts: list[str | Table]) -> str:
    return "\n".join(p if isinstance(p, str) else "\n".join(plain(p)) for p in parts)


def test_the_list_says_first_how_many_can_serve():
    found = {
        "accounts": [
            account(preferred=True),
            account("r", runtime=True, overrides={"priority": 1}),
            account("c", state="benched", unavailable={"reason": "quota", "until": NOW + 60}),
        ],
        "paused": True,
    }
    lines = text(listed(found, NOW)).splitlines()
    assert text(listed({**found, "accounts": [account()]}, NOW)).startswith("1 of 1 account can")
    assert lines[0] == "2 of 3 accounts can serve, max-1 is preferred; the pool is paused."
    assert "57 %" in lines[3]
    assert lines[3].endswith("preferred")
    assert lines[4].endswith("run-time, priority changed by hand")
    assert lines[5].endswith("quota, for 1 min")


def test_without_accounts_it_says_where_to_add_one():
    assert "maxpool login NAME" in text(listed({"accounts": [], "paused": False}, NOW))


def test_one_account_is_shown_in_full():
    error = {"class": "transient_failure", "at": NOW - 60, "message": "status=500"}
    found = text(
        shown(account(last_error=error, caps={"5h": 0.9}, reserve={"7d": 0.2}, emergency=True), NOW)
    )
    for said in (
        "max-1 is ready.",
        "57 % used, resets in 1 h",
        "5h = 0.9",
        "7d = 0.2, opened when all else is closed",
        "2.5M read from cache",
        "transient failure, 1 min ago: status=500",
        "2 of 50",
    ):
        assert said in found


def test_sessions_tell_where_they_are_and_what_is_cached_there():
    one = {
        "session": "5f2c",
        "account": "max-1",
        "turns": 3,
        "moves": 1,
        "idle_s": 61.0,
        "warm": [{"account": "max-1", "tokens": 15_000}],
        "used": {"tokens_in": 100, "cache_read": 850, "cache_write": 50},
    }
    lines = text(sessions({"bound": 2, "sessions": [one]})).splitlines()
    assert lines[0] == "2 sessions bound to accounts, the latest 1."
    assert lines[3].split() == ["5f2c", "max-1", "3", "1", "85%", "2", "min", "max-1", "15k"]
    assert "No session" in text(sessions({"bound": 0, "sessions": []}))
