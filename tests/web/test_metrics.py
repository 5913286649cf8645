from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families as parsed

from maxpool.core.account import Account
from maxpool.core.pool import Pool
from maxpool.service.stats import Stats
from maxpool.web.metrics import MetricPages
from maxpool.web.report import ServerFacts
from tests.make import unified
from tests.rig import CLAUDE_CODE, key, plan, rig

NOW = 1_800_000_000.0


class Still:
    def now(self) -> float:
        return NOW


def samples(body: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in parsed(body.decode())
        for s in family.samples
    }


def told(body: bytes, name: str, **labels: str) -> float | None:
    return samples(body).get((f"maxpool_{name}", frozenset(labels.items())))


def pages(accounts: int) -> MetricPages:
    pool = Pool([Account(f"a-{n}", f"plan {n}", "oauth") for n in range(accounts)], now=NOW)
    for n in range(accounts):
        pool.observe(f"a-{n}", unified(NOW, five=0.4, seven=0.2), NOW)
    facts = ServerFacts(
        version="1", config_path=None, config_loaded_at=NOW, config_error=None, notices=(), jobs={}
    )
    return MetricPages(pool, Stats(), Still(), lambda: facts, dict)  # type: ignore[arg-type]


async def test_a_scrape_tells_windows_states_and_what_requests_met():
    async with rig(plan("p", used_5h=0.3), key("k")) as it:
        await it.post(headers=CLAUDE_CODE)
        got = await it.get("/metrics")
        assert got.fields["content-type"].startswith("text/plain; version=0.0.4")
        used = told(got.body, "window_utilization_ratio", account="p", window="5h")
        assert used is not None
        assert 0.29 < used < 0.4
        assert told(got.body, "account_state", account="k", state="ready") == 1
        assert told(got.body, "account_health", account="k", state="ready") == 1
        assert told(got.body, "accounts", state="ready") == 2
        assert told(got.body, "answered_total") == 1
        assert told(got.body, "account_tokens_total", account="p", kind="output")
        assert ("process_cpu_seconds_total", frozenset()) in samples(got.body)


async def test_scraping_changes_nothing():  # S21
    async with rig(plan("p", used_5h=0.3)) as it:
        await it.post()
        before = it.proxy.pool.snapshot(0.0)
        await it.get("/metrics")
        assert it.proxy.pool.snapshot(0.0) == before


async def test_no_label_tells_a_session_a_client_or_a_secret():
    async with rig() as it:
        await it.post(headers={"x-maxpool-session": "the-session"})
        body = (await it.get("/metrics")).body
        assert b"the-session" not in body
        assert b"secret" not in body
        known = {
            "account",
            "window",
            "state",
            "family",
            "format",
            "status",
            "kind",
            "le",
            "version",
        }
        assert {label for _, labels in samples(body) for label, _ in labels} <= known


async def test_where_a_key_is_asked_for_a_scrape_needs_one_too():  # X2
    async with rig(server={"require_key": True}) as it:
        assert (await it.get("/metrics")).status == 401


async def test_a_page_of_another_site_cannot_read_it():  # X1
    async with rig() as it:
        got = await it.get("/metrics", {"origin": "https://elsewhere.example"})
        assert got.status == 403


def test_every_one_of_two_hundred_accounts_is_told():
    found = samples(pages(200).text())
    assert len(found) > 200 * 15
