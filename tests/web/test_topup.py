"""Recording money over the admin API of the real proxy."""

from __future__ import annotations

import pytest

from maxpool.core.eligibility import Reason
from tests.rig import ADMIN_KEY, JSON, key, rig

ADMIN = {**JSON, "x-maxpool-admin-key": ADMIN_KEY}
PATH = "/admin/accounts/a/topup"


async def test_money_added_opens_a_prepaid_account_again():
    async with rig(key("a"), entries={"a": {"balance_usd": 1.0}}) as it:
        pool = it.proxy.pool
        (account_id,) = pool.states
        pool.budget.wallets[account_id].spent = 1.0
        pool.states[account_id].cool(Reason.BILLING, 1e12)
        pool.changed(account_id, it.proxy.clock.now())
        assert (await it.post()).status == 429
        got = await it.send("POST", PATH, ADMIN, b'{"usd": 20}')
        assert (got.status, got.json["balance"]["balance_usd"]) == (200, 20.0)
        assert (await it.post()).status == 200
        assert (await it.state("a"))["balance"]["spent_usd"] > 1.0


@pytest.mark.parametrize(
    "body", [b"{}", b'{"usd": 0}', b'{"usd": -1}', b'{"usd": "9"}', b'{"usd": true}']
)
async def test_what_is_no_amount_changes_nothing(body):
    async with rig(key("a")) as it:
        got = await it.send("POST", PATH, ADMIN, body)
        assert got.error == (400, "invalid_request_error")
        assert it.proxy.pool.budget.wallets == {}


async def test_an_account_nobody_has_is_a_404():
    async with rig(key("a")) as it:
        got = await it.send("POST", PATH.replace("/a/", "/nobody/"), ADMIN, b'{"usd": 1}')
        assert got.error == (404, "not_found_error")
