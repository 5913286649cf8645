"""What the operator does to pool and roster, without HTTP (that is tests/web/test_admin)."""

from __future__ import annotations

import pytest

from maxpool.errors import RequestError
from tests.make import ask
from tests.rig import key, rig


async def test_names_and_ids_find_an_account_and_a_typo_its_nearest():
    async with rig(key("maxine"), key("console")) as it:
        operator = it.proxy.operator
        account_id = operator.account_id("maxine")
        assert operator.account_id(account_id) == account_id
        with pytest.raises(RequestError, match="Did you mean maxine"):
            operator.account_id("maxin")
        with pytest.raises(RequestError, match="There are: maxine, console"):
            operator.account_id("zzz")


async def test_a_disabled_account_is_not_preferred():
    async with rig() as it:
        operator = it.proxy.operator
        operator.command("prefer", operator.account_id("b"))
        operator.command("disable", operator.account_id("b"))
        assert it.proxy.pool.selector.preferred is None
        with pytest.raises(RequestError, match="Enable it"):
            operator.command("prefer", operator.account_id("b"))


async def test_a_preferred_account_that_the_config_disables_is_preferred_no_longer():
    async with rig() as it:
        it.proxy.operator.command("prefer", it.proxy.operator.account_id("b"))
        accounts = [
            a.model_copy(update={"enabled": a.name != "b"}) for a in it.proxy.config.accounts
        ]
        it.proxy.apply(it.proxy.config.model_copy(update={"accounts": tuple(accounts)}))
        assert it.proxy.pool.selector.preferred is None


@pytest.mark.parametrize(
    "secret", ["command:cat /etc/passwd", " COMMAND:x", "", "  ", "a\nb", 7, "x" * 70_000]
)
async def test_a_secret_over_http_is_text_and_never_a_command(secret):  # X7
    async with rig() as it:
        before = dict(it.proxy.tokens.references)
        with pytest.raises(RequestError, match=r"command:|text"):
            it.proxy.operator.add({"name": "r", "secret": secret})
        assert it.proxy.tokens.references == before
        assert it.proxy.roster.secrets.values == {}


async def test_a_wrong_account_leaves_no_secret_behind():
    async with rig() as it:
        with pytest.raises(RequestError, match="kind"):
            it.proxy.operator.add({"name": "r", "kind": "strange", "secret": "sk-1"})
        assert it.proxy.roster.secrets.values == {}


async def test_a_name_of_the_config_is_edited_there():
    async with rig() as it:
        with pytest.raises(RequestError, match="edit it there") as caught:
            it.proxy.operator.add({"name": "a", "secret": "sk-1"})
        assert caught.value.status == 409


async def test_one_login_is_one_account():  # S13
    async with rig() as it:
        operator = it.proxy.operator
        operator.add({"name": "r", "secret": "sk-1"})
        for secret, twin in (("sk-1", "r"), ("env:a", "a")):
            with pytest.raises(RequestError, match=f"the login of '{twin}' already"):
                operator.add({"name": "again", "secret": secret})
        operator.add({"name": "again", "secret": "sk-1", "base_url": "https://other.example"})
        assert len(it.proxy.roster.secrets.values) == 2


async def test_a_run_time_account_outlives_a_reload_and_binds_no_origin():
    async with rig() as it:
        account_id, new = it.proxy.operator.add(
            {"name": "r", "secret": "sk-1", "base_url": "https://r.example"}
        )
        assert new
        it.proxy.apply(it.proxy.config)
        assert account_id in it.proxy.pool.states
        assert it.proxy.destinations[account_id].base_url == "https://r.example"
        assert account_id not in it.proxy.origins.bound
        await it.proxy.operator.remove(account_id)
        assert account_id not in it.proxy.pool.states
        assert account_id not in it.proxy.destinations


async def test_another_shared_upstream_in_the_config_moves_no_run_time_account():  # X5
    async with rig() as it:
        account_id, _ = it.proxy.operator.add({"name": "r", "secret": "sk-1"})
        here = it.proxy.destinations[account_id].base_url
        upstream = it.proxy.config.upstream.model_copy(update={"base_url": "https://evil.example"})
        it.proxy.apply(it.proxy.config.model_copy(update={"upstream": upstream}))
        assert it.proxy.destinations[account_id].base_url == here == it.upstream.url


async def test_a_session_is_found_by_a_beginning_that_is_its_alone():
    async with rig() as it:
        pool, operator = it.proxy.pool, it.proxy.operator
        for name in ("5f2c-one", "5f2c-two", "77aa-x"):
            pool.acquire(ask(name), it.proxy.clock.now())
        assert operator.session_key("77aa") == "77aa-x"
        assert operator.session_key("5f2c-one") == "5f2c-one"
        for wrong in ("5f2c", "77", "nobody"):
            with pytest.raises(RequestError):
                operator.session_key(wrong)


async def test_stopping_is_refused_where_nobody_listens():
    async with rig() as it:
        with pytest.raises(RequestError, match="ends with the program"):
            it.proxy.operator.shut_down()
        asked: list[bool] = []
        it.proxy.operator.stop = lambda: asked.append(True)
        assert it.proxy.operator.shut_down() == 0
        assert asked == [True]
