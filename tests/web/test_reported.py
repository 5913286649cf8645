"""`POST /usage`: what was used of an account elsewhere."""

from __future__ import annotations

import json
import time

import pytest

from tests.rig import ADMIN_KEY, JSON, MODEL, plan, rig
from tests.web.test_admin_ledger import kept, written

WEEK = {"7d": {"utilization": 0.4, "reset_at": time.time() + 86_400}}


async def report(it, key=ADMIN_KEY, **body):
    headers = {**JSON, "x-maxpool-admin-key": key}
    return await it.send("POST", "/usage", headers, json.dumps(body).encode())


async def test_readings_reach_the_pool():
    async with rig(plan("p")) as it:
        got = await report(it, device="laptop", account="p", windows=WEEK)
        assert (got.status, got.json["readings"], got.json["requests"]) == (200, 1, 0)
        (week,) = (w for w in (await it.state("p"))["windows"] if w["window"] == "7d")
        assert week["utilization"] == 0.4


async def test_requests_are_kept_under_the_device(tmp_path):
    async with kept(tmp_path) as it:
        await it.post()
        one = {"model": MODEL, "input": 10, "output": 20, "cache_read": 5, "at": time.time() - 60}
        got = await report(it, device="laptop", account="a", requests=[one, one])
        assert got.json["requests"] == 2
        await written(it, 3)
        told = (await it.admin("GET", "/usage?by=device")).json["usage"]
        assert {line["key"]: line["requests"] for line in told} == {"": 1, "laptop": 2}
        only = (await it.admin("GET", "/usage?by=model&device=laptop")).json["usage"]
        assert (only[0]["tokens_in"], only[0]["cost_usd"] > 0) == (20, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": ""},
        {"device": "a\nb"},
        {"account": 7},
        {"more": 1},
        {"windows": {"1h": {"utilization": 0.4}}},
        {"windows": {"7d": {"utilization": "full"}}},
        {"windows": {"7d": {"utilization": 0.4, "reset_at": 5}}},
        {"windows": [1]},
        {"requests": {}},
        {"requests": [{"model": "m", "input": -1}]},
        {"requests": [{"model": "m", "prompt": "hello"}]},
        {"requests": [{"model": "m", "at": 5}]},
        {"requests": [{"input": 5}]},
    ],
)
async def test_what_makes_no_sense_changes_nothing(wrong):
    async with rig(plan("p")) as it:
        got = await report(it, **{"device": "d", "account": "p", "windows": WEEK, **wrong})
        assert got.error == (400, "invalid_request_error")
        assert (await it.state("p"))["windows"] == []


async def test_it_needs_the_admin_key_and_an_account_that_exists():  # X3
    async with rig(plan("p")) as it:
        assert (await report(it, key="wrong", device="d", account="p")).status == 401
        assert (await report(it, device="d", account="nobody")).status == 404
