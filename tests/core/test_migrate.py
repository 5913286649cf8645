"""Memories of earlier versions: nothing with a future deadline is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maxpool import Pool
from maxpool.core.migrate import migrated
from maxpool.core.snapshot import VERSION
from tests.make import DAY, HOUR, NOW, account, key, reason_of, until_of

FIXTURES = Path(__file__).parent.parent / "fixtures"
ACCOUNTS = [*(account(f"max-{i}") for i in (1, 2, 3, 4)), *(key(f"key-{i}") for i in (1, 2, 3, 4))]


def saved_1() -> dict[str, Any]:
    """What version 1 of the snapshot looked like, as that version wrote it."""
    found: dict[str, Any] = json.loads((FIXTURES / "snapshot-1.json").read_text())
    return found


def test_everything_with_a_deadline_survives_the_way_from_version_1():  # S18
    pool = Pool.restore(saved_1(), ACCOUNTS, None, NOW)
    told = {a.id: (reason_of(pool, a.id), until_of(pool, a.id)) for a in ACCOUNTS}
    assert told == {
        "max-1": (None, None),
        "max-2": ("quota", NOW + DAY),
        "max-3": ("draining", None),
        "max-4": (None, None),
        "key-1": ("breaker", NOW + 20),
        "key-2": ("rate_limited", NOW + 40),
        "key-3": ("spend_limit", NOW + 6 * HOUR),
        "key-4": ("forbidden", NOW + 298),
    }
    assert pool.states["max-3"].cooldowns == {"provisional": NOW + 15}


def test_windows_sessions_and_habits_survive_the_way_from_version_1():  # S18
    pool, old = Pool.restore(saved_1(), ACCOUNTS, None, NOW), saved_1()
    state, view = pool.states["max-1"], pool.view(NOW)
    assert state.quota.utilization("5h", NOW) == pytest.approx(0.568)
    assert len(state.quota.windows["7d"].history) == len(
        old["accounts"]["max-1"]["windows"][1]["history"]
    )
    assert (view.preferred, view.sessions_protected) == ("max-1", 1)
    assert [p.until for p in view.pauses] == [NOW + 27]
    assert pool.states["max-4"].probing.next_at == NOW + 2395
    assert pool.states["max-1"].credential.expires_at == NOW + 3 * HOUR
    assert list(pool.index.demand.learned) == old["learned"]["demand"]


def test_the_oldest_snapshots_of_version_1_lack_what_was_learned():
    old = saved_1()
    del old["learned"], old["prices"]["session_work"], old["prices"]["session_count"]
    for window in old["accounts"]["max-1"]["windows"]:
        del window["slope"]
    for binding in old["bindings"]:
        binding["warm"] = {a: w[:3] for a, w in binding["warm"].items()}
    pool = Pool.restore(old, ACCOUNTS, None, NOW)
    assert pool.bindings.by_key["thinking"].home == "max-1"
    assert pool.bindings.by_key["thinking"].warm_at("max-1", NOW - 1050) is not None


def test_migrating_changes_nothing_in_what_it_was_given():
    old = saved_1()
    assert migrated(old, VERSION)["version"] == VERSION
    assert old == saved_1()


def test_a_migrated_snapshot_is_one_that_this_version_would_write():
    found = migrated(saved_1(), VERSION)
    fresh = Pool.restore(saved_1(), ACCOUNTS, None, NOW).snapshot(NOW)
    assert found.keys() - {"origins"} == fresh.keys()
    for part in ("learned", "throttle", "prices"):
        assert found[part].keys() == fresh[part].keys()
    for account_id, kept in found["accounts"].items():
        assert kept.keys() == fresh["accounts"][account_id].keys()
