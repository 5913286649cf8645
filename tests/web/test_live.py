"""The picture of the live feed: news only, no ages, nothing that `/status` does not tell."""

from __future__ import annotations

import asyncio
import json

from maxpool import QuotaExceeded
from maxpool.service.stats import Stats
from maxpool.web.live import parts
from maxpool.web.report import document
from tests.make import HOUR, NOW, account, ask, lease, pool, unified
from tests.rig import key, rig, until
from tests.web.test_report import FACTS

SHARE_OF_A_CORE = 0.05


def at(p, now=NOW):
    return parts(document(p.view(now), Stats(), FACTS))


def busy():
    p = pool("a", account("b", slots=1))
    p.observe("a", unified(five=0.4, seven=0.22), NOW)
    p.observe("b", unified(five=0.4, seven=0.22), NOW)
    p.release(lease(p, session="s"), QuotaExceeded("5h", NOW + HOUR), NOW)
    return p


def test_a_second_in_which_nothing_happens_changes_nothing():
    p = busy()
    first, later = at(p), at(p, NOW + 1)
    changed = [k for k in first if json.dumps(first[k]) != json.dumps(later[k])]
    assert changed == []


def test_every_account_is_a_part_of_its_own():
    p = busy()
    assert {k[1] for k in at(p) if k[0] == "account"} == {"a", "b"}
    before = at(p)
    p.observe("a", unified(five=0.5, seven=0.22), NOW + 1)
    after = at(p, NOW + 1)
    assert before["account", "a"] != after["account", "a"]
    assert before["account", "b"] == after["account", "b"]


def test_waiting_and_idling_are_told_as_since_when():
    p = pool(account("a", slots=1))
    lease(p, session="s")
    p.acquire(ask(), NOW)
    found = at(p, NOW + 30)
    assert found["queue", ""][0]["since"] == NOW
    assert found["sessions", ""]["list"][0]["since"] == NOW
    assert found["summary", ""]["summary"]["oldest_since"] == NOW


def test_a_part_that_the_document_gets_one_day_is_told_too():
    doc = document(pool("a").view(NOW), Stats(), FACTS)
    assert parts({**doc, "set": {"active": "x"}})["set", ""] == {"active": "x"}


async def test_a_request_is_a_line_without_a_word_of_its_text():
    async with rig(key("a")) as it:
        await it.post(headers={"x-maxpool-session": "one"})
        (line,) = lines(it)
        assert line["status"] == 200
        assert line["account"] == next(iter(it.proxy.pool.states))
        assert line["tries"] == 1
        assert "hello" not in json.dumps(line)


async def test_a_running_request_is_news_when_it_ends():
    async with rig(key("a")) as it:
        await it.admin("POST", "/pause")
        asking = asyncio.ensure_future(it.post())
        await until(lambda: len(it.proxy.pool.queue))
        assert lines(it)[0]["ended_at"] is None
        await it.admin("POST", "/resume")
        await asking
        assert lines(it)[0]["ended_at"] is not None


def lines(it):
    return [part for key, part in it.proxy.feed.look().parts.items() if key[0] == "request"]
