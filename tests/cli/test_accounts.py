"""`maxpool accounts` against a real proxy."""

from __future__ import annotations

import json

import pytest

from maxpool.config.identity import OWN_LOGINS
from maxpool.service.clientlogin import ORIGIN
from tests.cli.operate import run, say
from tests.rig import ask, rig


async def test_the_list_is_what_the_verb_alone_shows(tmp_path):
    async with rig() as it:
        alone = await run(it, tmp_path, "accounts")
        named = await run(it, tmp_path, "accounts", "list")
        assert alone.exit_code == 0
        assert alone.stdout == named.stdout
        assert alone.stdout.startswith("3 of 3 accounts can serve.")
        told = json.loads((await run(it, tmp_path, "accounts", "list", "--json")).stdout)
        assert [a["name"] for a in told["accounts"]] == ["a", "b", "c"]
        assert json.loads((await run(it, tmp_path, "accounts", "--json")).stdout)["accounts"]
        assert (await run(it, tmp_path, "accounts", "--json", "list")).exit_code == 2


async def test_one_account_is_shown(tmp_path):
    async with rig() as it:
        assert "env:b" in (await run(it, tmp_path, "accounts", "show", "b")).stdout
        wrong = await run(it, tmp_path, "accounts", "show", "nobody")
        assert wrong.exit_code == 1
        assert wrong.stderr.splitlines()[-1].startswith("There are: a, b, c")


@pytest.mark.parametrize(
    ("action", "said", "state"),
    [
        ("disable", "a is disabled.", "disabled"),
        ("drain", "a takes no new requests.", "draining"),
        ("enable", "a is enabled (now ready).", "ready"),
        ("reset", "a starts afresh (now ready).", "ready"),
    ],
)
async def test_an_action_is_done_and_said(tmp_path, action, said, state):
    async with rig() as it:
        result = await run(it, tmp_path, "accounts", action, "a")
        assert (result.exit_code, result.stdout.strip()) == (0, said)
        assert (await it.state("a"))["state"] == state


async def test_preferring_and_going_back(tmp_path):
    async with rig() as it:
        assert "before all others" in (await run(it, tmp_path, "accounts", "prefer", "c")).stdout
        assert (await it.post()).account == "c"
        assert (await run(it, tmp_path, "accounts", "automatic")).exit_code == 0
        assert (await it.post(ask("another"))).account == "a"


async def test_a_priority_is_set_and_told_how_long_it_holds(tmp_path):
    async with rig() as it:
        result = await run(it, tmp_path, "accounts", "priority", "b", "--", "-1")
        assert "b has priority -1. Kept in memory" in result.stdout
        assert (await it.post()).account == "b"


def test_a_priority_is_a_number(tmp_path):
    assert say(tmp_path, "accounts", "priority", "a", "high").exit_code == 2


@pytest.mark.parametrize("before", [(), ("--",)])
async def test_a_priority_below_zero_is_written_as_it_is(tmp_path, before):
    async with rig() as it:
        result = await run(it, tmp_path, "accounts", "priority", "c", *before, "-5")
        assert (result.exit_code, (await it.state("c"))["priority"]) == (0, -5)
        assert (await it.post()).account == "c"


@pytest.mark.parametrize("wrong", ["1000001", "-1000001", "--jsno"])
def test_a_priority_out_of_bounds_or_a_mistyped_option_is_a_wrong_usage(tmp_path, wrong):
    assert say(tmp_path, "accounts", "priority", "a", wrong).exit_code == 2


async def test_clients_own_logins_are_confirmed_by_their_common_name(tmp_path):  # X5
    async with rig(pool={"client_login": "first"}) as it:
        it.proxy.origins.bound[ORIGIN] = "https://elsewhere.example"
        it.proxy.settle()
        assert it.proxy.logins.destination is None
        done = await run(it, tmp_path, "accounts", "confirm", OWN_LOGINS)
        assert done.stdout.strip() == f"Clients' own logins may go to {it.upstream.url}."
        assert it.proxy.logins.destination is not None
        again = await run(it, tmp_path, "accounts", "confirm", OWN_LOGINS)
        assert "nothing to confirm" in again.stderr


async def test_a_changed_base_url_is_confirmed_and_not_reset(tmp_path):
    async with rig() as it:
        account_id = it.proxy.operator.account_id("a")
        it.proxy.origins.bound[account_id] = "https://elsewhere.example"
        it.proxy.bind_origins()
        refused = await run(it, tmp_path, "accounts", "reset", "a")
        assert refused.exit_code == 1
        assert "maxpool accounts confirm a" in refused.stderr.splitlines()[-1]
        assert (await it.state("a"))["state"] == "locked_out"
        done = await run(it, tmp_path, "accounts", "confirm", "a")
        assert done.stdout.strip() == f"a may send its credential to {it.upstream.url} (now ready)."
        assert (await it.post()).account == "a"
