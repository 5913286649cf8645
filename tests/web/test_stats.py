"""`/stats` and its parts."""

from __future__ import annotations

from datetime import date, datetime

from maxpool.adapters.process import local_utc_offset_s
from maxpool.web.stats import StatsPages
from tests.rig import MODEL, rig
from tests.web.test_admin_ledger import kept, written


async def test_counts_since_the_start_need_no_ledger():
    async with rig() as it:
        await it.post()
        told = (await it.get("/stats")).json
        assert (told["requests"], told["total"]["requests"]) == (1, 1)
        assert told["accounts"]["a"]["tokens_out"] > 0
        assert (await it.get("/stats/tokens")).status == 404


async def test_days_and_one_day_by_model_and_account(tmp_path):
    async with kept(tmp_path) as it:
        await it.post()
        (row,) = await written(it, 1)
        days = (await it.get("/stats/tokens")).json
        today = days["days"][-1]["date"]
        assert days["total"]["tokens_out"] == row["tokens_out"]
        told = (await it.get(f"/stats/tokens/daily/{today}")).json
        assert [line["key"] for line in told["models"]] == [MODEL]
        assert [line["name"] for line in told["accounts"]] == ["a"]
        empty = (await it.get("/stats/tokens/daily/2001-01-01")).json
        assert (empty["total"]["requests"], empty["models"]) == (0, [])


async def test_what_is_no_day_is_refused(tmp_path):
    async with kept(tmp_path) as it:
        for text in ("today", "2026-13-01", "0001-01-01"):
            got = await it.get(f"/stats/tokens/daily/{text}")
            assert got.error == (400, "invalid_request_error")


def test_a_day_begins_at_midnight_here():
    pages = StatsPages(
        reader=None,
        pool=None,  # type: ignore[arg-type]
        stats=None,  # type: ignore[arg-type]
        clock=None,  # type: ignore[arg-type]
        offset_s=local_utc_offset_s,
    )
    for day in (date(2026, 3, 29), date(2026, 7, 1), date(2026, 10, 25)):
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - as people here have it
        assert pages._midnight(day.toordinal()) == midnight.timestamp()
