"""Builders for tests: the shortest way to a pool, a request and the headers of an account."""

from __future__ import annotations

from typing import Any

from maxpool import Account, Lease, LeaseRequest, Pool, PoolSettings
from maxpool.core.records import RequestRecord

NOW = 1_800_000_000.0
HOUR = 3600.0
DAY = 86_400.0
MODEL = "claude-sonnet-4-5"


def account(account_id: str = "a", **given: Any) -> Account:
    """An account whose id is its name; a 20x subscription that serves everything."""
    return Account(
        **{"id": account_id, "name": account_id, "kind": "subscription", "plan": "max_20x", **given}
    )


def key(name: str = "k", **given: Any) -> Account:
    """An API key."""
    return account(name, kind="api_key", plan=None, **given)


def pool(*names: str | Account, **settings: Any) -> Pool:
    """A pool of these accounts at NOW."""
    accounts = [account(n) if isinstance(n, str) else n for n in names]
    return Pool(accounts, PoolSettings(**settings), NOW)


def ask(session: str | None = None, **given: Any) -> LeaseRequest:
    """A request of 20,000 tokens."""
    return LeaseRequest(**{"model": MODEL, "session": session, "input_tokens": 20_000, **given})


def lease(pool: Pool, now: float = NOW, session: str | None = None, **given: Any) -> Lease:
    """A lease that must be granted."""
    exclude = given.pop("exclude", frozenset())
    found = pool.acquire(ask(session, **given), now, exclude=exclude)
    assert isinstance(found, Lease), found
    return found


def unified(now: float = NOW, status: str = "allowed", **windows: Any) -> dict[str, str]:
    """Unified headers: `five=.3, seven=.5, five_reset=..., seven_status=...`, `claim=`, `oi=`."""
    prefix = "anthropic-ratelimit-unified-"
    found = {f"{prefix}status": status}
    if "claim" in windows:
        found[f"{prefix}representative-claim"] = windows["claim"]
    if "reset" in windows:
        found[f"{prefix}reset"] = str(int(windows["reset"]))
    lengths = {"five": ("5h", 2 * HOUR), "seven": ("7d", 3 * DAY), "oi": ("7d_oi", 3 * DAY)}
    for name, (window, ahead) in lengths.items():
        if name in windows:
            found[f"{prefix}{window}-utilization"] = str(windows[name])
            found[f"{prefix}{window}-reset"] = str(int(windows.get(f"{name}_reset", now + ahead)))
        if f"{name}_status" in windows:
            found[f"{prefix}{window}-status"] = windows[f"{name}_status"]
    return found


def state_of(pool: Pool, name: str, now: float = NOW) -> str:
    """The state an account shows."""
    return next(a.state for a in pool.view(now).accounts if a.account.id == name)


def reason_of(pool: Pool, name: str, now: float = NOW) -> str | None:
    """The reason an account shows for being unavailable."""
    view = next(a for a in pool.view(now).accounts if a.account.id == name)
    return view.unavailable.reason.value if view.unavailable is not None else None


def until_of(pool: Pool, name: str, now: float = NOW) -> float | None:
    """When that reason ends."""
    view = next(a for a in pool.view(now).accounts if a.account.id == name)
    return view.unavailable.until if view.unavailable is not None else None


def request_record(number: int = 1, **changed: Any) -> RequestRecord:
    """A request as the ledger keeps it: answered, priced, of one session."""
    given = RequestRecord(
        request_id=f"req_{number}",
        at=1_800_000_000.0 + number,
        account="a-1",
        model="claude-sonnet-5-5",
        sent_model="claude-sonnet-5-5",
        client="",
        session="s-1",
        program="claude-code",
        format="anthropic",
        kind="messages",
        status=200,
        failed=False,
        outcome="success",
        attempts=1,
        streamed=True,
        tokens_in=10,
        tokens_out=20,
        cache_read=300,
        cache_write_5m=40,
        cache_write_1h=5,
        cost_usd=0.25,
        cost_told=False,
        total_ms=1500.0,
        ttfb_ms=400.0,
        waited_ms=0.0,
        overhead_ms=1.0,
        skipped="",
        decision='{"total":1.0}',
    )
    return given._replace(**changed)
