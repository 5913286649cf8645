"""Numbers that cannot be read, through every door they may come in by."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maxpool import (
    Pool,
    UsageReport,
)
from maxpool.core.lease import Reading
from maxpool.core.ratelimit import read_usage
from maxpool.errors import StateError
from tests.claims.asking import U, serves
from tests.make import (
    DAY,
    NOW,
    account,
    pool,
    unified,
)

BROKEN_TEXT = ["", "null", "NaN", "1e400", "-1", "-inf", "inf", "None", "lots", "0x0", "1_0"]
BROKEN: list[Any] = [None, "", "null", float("nan"), float("inf"), -1, -0.5, True, [], {}, "lots"]


def week(p: Pool, now: float = NOW + 1) -> float | None:
    shown = next(w for w in p.view(now).accounts[0].windows if w.window == "7d")
    return shown.utilization


@pytest.mark.parametrize("value", [*BROKEN_TEXT, None])
def test_a_header_that_cannot_be_read_never_reads_as_free(value):  # S17
    p = pool("a")
    headers = unified(seven=0.9)
    p.observe("a", headers, NOW)
    del headers[f"{U}7d-utilization"]
    p.observe("a", headers | ({f"{U}7d-utilization": value} if value is not None else {}), NOW + 1)
    assert week(p) == 0.9
    fresh = pool("a")
    fresh.observe("a", headers | {f"{U}7d-utilization": value or ""}, NOW)
    assert week(fresh) is None


@pytest.mark.parametrize("percent", [*BROKEN, 10**400])
def test_a_probe_that_cannot_be_read_never_reads_as_free(percent):  # S17
    p = pool("a")
    p.observe("a", unified(seven=0.9), NOW)
    stamp = "2027-01-18T08:00:00Z"  # three days after NOW, as in the headers
    for body in (
        {"limits": [{"kind": "weekly_all", "percent": percent, "resets_at": stamp}]},
        {"seven_day": {"utilization": percent, "resets_at": stamp}},
        {"seven_day": {"resets_at": stamp}},
        {"limits": [{"kind": "weekly_all"}]},
        {"seven_day": percent},
    ):
        p.learn("a", read_usage(body, NOW + 700), NOW + 700)
        assert week(p, NOW + 700) == 0.9


@pytest.mark.parametrize("value", BROKEN)
def test_a_snapshot_that_cannot_be_read_never_reads_as_free(value):  # S17
    p = pool("a")
    p.observe("a", unified(seven=0.9), NOW)
    saved = p.snapshot(NOW)
    (window,) = (w for w in saved["accounts"]["a"]["windows"] if w["name"] == "7d")
    window["utilization"] = value
    try:
        restored = Pool.restore(saved, [account("a")], p.settings, NOW + 1)
    except StateError:
        return  # the whole of it is set aside, and the account is unknown
    assert week(restored) in (None, 1.0)  # `true` reads as full


@pytest.mark.parametrize("used", [1.0, 1.04, 7.0, 1e6])
def test_more_than_full_is_full_wherever_it_comes_from(used):  # S17
    by_header, by_probe = pool("a"), pool("a")
    told = {f"{U}7d-utilization": str(used), f"{U}7d-reset": str(int(NOW + DAY))}
    by_header.observe("a", told, NOW)
    by_probe.learn("a", UsageReport((Reading("7d", used, NOW + DAY),)), NOW)
    saved = json.loads(json.dumps(by_header.snapshot(NOW)))
    restored = Pool.restore(saved, [account("a")], by_header.settings, NOW + 1)
    for p in (by_header, by_probe, restored):
        assert not serves(p, now=NOW + 1)
        assert (week(p) or 0.0) >= 1.0


@pytest.mark.parametrize("values", ["0.2, 0.8", "0.8, 0.2", "0.8, NaN", ", 0.8", "0.8;x=1, 0.1"])
def test_of_doubles_in_one_answer_the_worse_one_counts(values):  # S17
    p = pool("a")
    p.observe("a", {f"{U}7d-utilization": values, f"{U}7d-reset": str(int(NOW + DAY))}, NOW)
    assert week(p) == 0.8
    p = pool("a")
    limits = [
        {"kind": "weekly_all", "percent": percent, "resets_at": "2027-01-18T08:00:00Z"}
        for percent in (20, 80, None)
    ]
    p.learn("a", read_usage({"limits": limits}, NOW), NOW)
    assert week(p) == 0.8
