"""`/admin/usage`, `/admin/requests`, `/admin/readings` and `/admin/events`, over a real ledger."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from maxpool.core.records import UsageLine
from maxpool.sim import faults
from maxpool.web.admin_ledger import total_of, usage_line
from tests.rig import MODEL, rig, until


@asynccontextmanager
async def kept(tmp_path, **given):
    """A proxy whose ledger is a file and writes at once."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    async with rig(ledger_url=url, ledger={"flush": "10ms"}, **given) as it:
        yield it


async def written(it, rows):
    """Until so many requests are in the ledger; gives what is told of them."""

    async def told():
        return (await it.admin("GET", "/requests")).json["requests"]

    ledger = it.proxy.books.ledger
    await until(lambda: not ledger.report().waiting)
    found = await told()
    assert len(found) == rows
    return found


async def test_requests_are_listed_newest_first_with_their_account(tmp_path):
    async with kept(tmp_path) as it:
        ids = [(await it.post()).fields["x-request-id"] for _ in range(3)]
        found = await written(it, 3)
        assert [one["request_id"] for one in found] == ids[::-1]
        assert found[0]["account_name"] == "a"
        assert found[0]["decision"]["strategy"] == "cost"
        assert (await it.admin("GET", f"/requests/{ids[0]}")).json["request"]["model"] == MODEL
        assert (await it.admin("GET", "/requests/nobody")).error == (404, "not_found_error")


async def test_pages_follow_each_other_without_gap_or_double(tmp_path):
    async with kept(tmp_path) as it:
        for _ in range(5):
            await it.post()
        await written(it, 5)
        seen, before = [], ""
        while True:
            page = (await it.admin("GET", f"/requests?limit=2{before}")).json
            seen += [one["number"] for one in page["requests"]]
            if page["before"] is None:
                break
            before = f"&before={page['before']}"
        assert seen == [5, 4, 3, 2, 1]
        newer = (await it.admin("GET", "/requests?after=3")).json["requests"]
        assert [one["number"] for one in newer] == [5, 4]


async def test_filters_narrow_by_account_status_and_session(tmp_path):
    async with kept(tmp_path) as it:
        it.sim.inject(faults.status(500), "a")
        await it.post(headers={"x-claude-code-session-id": "s-1"})
        await it.post(headers={"x-claude-code-session-id": "s-1"})
        for name in "abc":
            it.sim.inject(faults.bad_request(), name)
        assert (await it.post()).status == 400
        await written(it, 3)

        async def count(query):
            return len((await it.admin("GET", f"/requests?{query}")).json["requests"])

        assert await count("status=failed") == await count("status=400") == 1
        assert await count("status=ok") == 2
        assert await count("session=s-1") == 2
        assert await count("account=b") + await count("account=a") + await count("account=c") == 3
        assert await count("model=other") == 0


async def test_usage_sums_what_the_requests_say(tmp_path):
    async with kept(tmp_path) as it:
        for _ in range(3):
            await it.post(headers={"x-claude-code-session-id": "s-1"})
        rows = await written(it, 3)
        for by in ("hour", "day", "week", "month", "account", "model", "client", "session"):
            told = (await it.admin("GET", f"/usage?by={by}")).json
            assert told["total"]["requests"] == 3
            (line,) = told["usage"]
            assert line["tokens_out"] == sum(row["tokens_out"] for row in rows)
            assert line["cost_usd"] == pytest.approx(sum(row["cost_usd"] for row in rows))
        bound = (await it.admin("GET", "/sessions")).json["sessions"][0]["session"]
        by_session = (await it.admin("GET", "/usage?by=session")).json["usage"][0]
        assert by_session["session"] == bound
        by_account = (await it.admin("GET", "/usage?by=account&account=a")).json["usage"][0]
        assert by_account["name"] == "a"


async def test_what_happened_and_what_windows_showed_is_kept(tmp_path):
    async with kept(tmp_path) as it:
        await it.post()
        it.proxy.books.sampler.look()
        await it.admin("POST", "/accounts/c/disable", {})
        it.proxy.books.watch.look()
        await written(it, 1)
        told = (await it.admin("GET", "/events")).json["events"]
        assert [one["kind"] for one in told] == ["account_state", "started"]
        assert told[0]["account_name"] == "c"
        assert told[0]["detail"]["now"] == "disabled"
        assert (await it.admin("GET", "/readings")).status == 200


@pytest.mark.parametrize(
    "query",
    [
        *("usage?by=colour", "usage?since=yesterday", "usage?since=-1", "usage?since=1e300"),
        *("requests?status=odd", "requests?before=x", "requests?limit=two", "events?since=nan"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_what_would(tmp_path, query):
    async with kept(tmp_path) as it:
        assert (await it.admin("GET", f"/{query}")).error == (400, "invalid_request_error")


async def test_without_a_ledger_it_says_so():
    async with rig() as it:
        for path in ("usage", "requests", "requests/x", "readings", "events"):
            assert (await it.admin("GET", f"/{path}")).error == (404, "not_found_error")
        assert (await it.status())["jobs"].get("ledger") is None
        assert (await it.post()).whole


async def test_it_needs_the_admin_key(tmp_path):  # X3
    async with kept(tmp_path) as it:
        for path in ("usage", "requests", "readings", "events"):
            assert (await it.get(f"/admin/{path}")).status == 401


def test_a_total_is_the_sum_of_its_lines():
    one = UsageLine(
        key="a",
        requests=1,
        failed=1,
        tokens_in=2,
        tokens_out=3,
        cache_read=4,
        cache_write=5,
        unpriced=1,
        cost_usd=0.5,
        total_ms=7.0,
    )
    told = usage_line(total_of([one, one]))
    assert (told["requests"], told["tokens"], told["cost_usd"]) == (2, 28, 1.0)
    assert "first_at" not in told
