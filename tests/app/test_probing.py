"""The clock and the probes of a running proxy, as they are put together."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from maxpool import Forbidden
from maxpool.app.build import build
from maxpool.app.probing import Probing, usage_urls
from maxpool.config.load import parse
from maxpool.errors import MaxpoolError
from maxpool.service.probes import UsageUrl
from tests.make import HOUR, NOW, lease
from tests.service.test_clockwatch import TwoHands

OAUTH = """
[upstream]
base_url = "https://api.example.com"
[oauth.example]
authorize_url = "https://login.example.com/authorize"
token_url = "https://login.example.com/token"
client_id = "mine"
usage_url = "{usage}"
[[accounts]]
name = "work"
kind = "oauth"
oauth = "example"
serves = ["*"]
{more}
[[accounts]]
name = "key"
secret = "env:KEY"
"""
USAGE = "https://api.example.com/usage"


def config(tmp_path, usage=USAGE, more="", before=""):
    text = before + OAUTH.replace("{usage}", usage).replace("{more}", more)
    return parse(text, tmp_path / "config.toml")


@asynccontextmanager
async def built_of(one, **given):
    built = build(one, **given)
    try:
        yield built
    finally:
        await built.upstream.aclose()


def probed(built) -> list[str]:
    return [s.account.name for s in built.pool.states.values() if s.account.probes]


async def test_an_oauth_login_whose_profile_tells_usage_can_be_asked(tmp_path):
    one = config(tmp_path)
    (work, key) = (entry.stable_id for entry in one.accounts)
    assert usage_urls(one) == {work: UsageUrl(url=USAGE)}
    async with built_of(one) as built:
        assert probed(built) == ["work"]
        assert built.operator.probe is not None
        with pytest.raises(MaxpoolError, match="cannot be asked"):
            await built.operator.probe(key)


@pytest.mark.parametrize(
    "given",
    [
        {"more": "probes = false"},
        {"before": "[probes]\nenabled = false\n"},
        {"usage": "https://elsewhere.example.com/usage"},
        {"more": 'base_url = "https://gateway.example.com"'},
    ],
)
async def test_nobody_is_asked_against_the_owners_word_or_beyond_the_accounts_origin(
    tmp_path, given
):  # X5
    one = config(tmp_path, **given)
    assert usage_urls(one) == {}
    async with built_of(one) as built:
        assert probed(built) == []


async def test_probes_follow_a_reload(tmp_path):
    async with built_of(config(tmp_path)) as built:
        built.apply(config(tmp_path, more="probes = false"))
        assert (probed(built), built.probing.prober.targets) == ([], {})
        built.apply(config(tmp_path, before='[probes]\ntimeout = "3s"\n'))
        assert (probed(built), built.probing.prober.timeout_s) == (["work"], 3.0)


@pytest.mark.parametrize("by_s", [-HOUR, HOUR])
async def test_a_step_of_the_clock_reaches_the_pool_and_people(tmp_path, by_s):  # O7
    hands = TwoHands()
    async with built_of(config(tmp_path), clock=hands) as built:
        built.pool.release(lease(built.pool, NOW), Forbidden(), built.clock.now())
        hands.wall += by_s
        built.probing.watch.look()
        (cooling,) = [s for s in built.pool.states.values() if s.cooldowns]
        assert list(cooling.cooldowns.values()) == [NOW + by_s + 300]
        facts = built.facts()
        assert facts.jobs["clock"]["last_step_s"] == by_s
        assert any(notice.startswith("The clock was set") for notice in facts.notices)


def test_the_probes_report_shows_without_any_account(tmp_path):
    hands = TwoHands()
    assert Probing.by(hands).clock.now() == NOW
