"""`maxpool accounts topup`, and how money is shown."""

from __future__ import annotations

from typing import Any

import pytest

from maxpool.cli.accounts_money import money_rows
from tests.cli.operate import run
from tests.rig import key, rig

NOW = 1_790_000_000.0


async def test_money_is_recorded_with_the_running_server(tmp_path):
    async with rig(key("a"), entries={"a": {"balance_usd": 2.0}}) as it:
        done = await run(it, tmp_path, "accounts", "topup", "a", "20")
        assert (done.exit_code, done.stdout.strip()) == (0, "a: 20 USD added; 22.00 USD are left.")
        assert (await it.state("a"))["balance"]["added_usd"] == 20.0
        shown = await run(it, tmp_path, "accounts", "show", "a")
        assert "22.00 USD, 20.00 USD added, 0.0000 USD spent" in shown.stdout


async def test_without_a_declared_balance_it_says_what_is_missing(tmp_path):
    async with rig(key("a")) as it:
        done = await run(it, tmp_path, "accounts", "topup", "a", "1.5")
        assert "its balance is unknown until its entry has balance_usd" in done.stdout


@pytest.mark.parametrize("amount", ["0", "-3", "lots", "1e9"])
async def test_what_is_no_amount_is_wrong_usage(tmp_path, amount):
    async with rig(key("a")) as it:
        assert (await run(it, tmp_path, "accounts", "topup", "a", "--", amount)).exit_code == 2


def account(**given: Any) -> dict[str, Any]:
    return {"limits": [], "balance": {}, "quota": None, "total": {"wasted_usd": 0.0}, **given}


def limit(**given: Any) -> dict[str, Any]:
    usual = {"name": "requests per day calendar", "limit": 9.0, "used": 3.0, "reserved": 0.0}
    return {**usual, "until": None, "exhausted": False, **given}


@pytest.mark.parametrize(
    ("given", "row"),
    [
        ({"limits": [limit()]}, ("requests per day", "3 of 9 used")),
        (
            {"limits": [limit(reserved=2.0, until=NOW + 60, exhausted=True)]},
            ("requests per day", "3 of 9 used, 2 reserved, closed for 1 min"),
        ),
        ({"limits": [limit(exhausted=True)]}, ("requests per day", "3 of 9 used, used up")),
        (
            {"total": {"wasted_usd": 0.25}},
            ("wasted", "0.2500 USD on answers that failed"),
        ),
        (
            {
                "quota": {
                    "used": 1.0,
                    "remaining": 3.0,
                    "unit": "usd",
                    "reset_at": NOW + 60,
                    "last_result": "500",
                    "gates": False,
                }
            },
            (
                "quota told",
                "1 used, 3 remaining usd, resets in 1 min (last asked in vain: 500) (only observed)",
            ),
        ),
    ],
)
def test_each_limit_is_a_line(given, row):
    assert money_rows(account(**given), NOW) == [row]


def test_an_answer_of_an_older_server_has_no_such_lines():
    assert money_rows({"total": {}}, NOW) == []
