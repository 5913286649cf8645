"""`[failures.CLASS]` and `failures` of an account: what may be said, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maxpool import ContextExceeded, Forbidden, RateLimited
from maxpool.config import derive
from maxpool.config.load import parse
from maxpool.errors import ConfigError
from maxpool.wire.verdict_provider import FailureClass

HERE = Path("/nowhere/config.toml")
ACCOUNT = """
[[accounts]]
name = "v"
kind = "provider"
base_url = "https://api.example.com"
"""
DAILY = b'{"error":{"message":"Daily limit reached"}}'


def read(text: str, account: str = ACCOUNT):
    """Config, the one account's failures, and its core account."""
    config = parse(text + account, HERE)
    found = derive.failures(config, config.accounts[0])
    return found, derive.accounts(config)[0]


def wrong(text: str, account: str = ACCOUNT) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, account)
    (problem,) = caught.value.problems
    return f"{problem.line}: {problem.message}"


def test_without_a_word_the_usual_table_holds():
    found, account = read("")
    assert found is not None
    assert found.classify(403, {}, DAILY, model="m", now=0.0) == Forbidden()
    assert (found.tries, account.cooldowns) == (3, {})


def test_signs_of_all_and_of_one_account_stand_before_the_usual_ones():
    everyone = '[failures.quota]\nstatus = [403]\nwords = ["Daily LIMIT"]\ncooldown = "1h"\n'
    found, account = read(everyone)
    assert found is not None
    assert found.classify(403, {}, DAILY, model="m", now=0.0) == RateLimited()
    assert account.cooldowns == {"quota": 3600.0}
    own = 'failures = { context = { words = ["daily"] }, quota = { cooldown = "1min" } }\n'
    found, account = read(everyone, ACCOUNT + own)
    assert found is not None
    assert found.classify(403, {}, DAILY, model="m", now=0.0) == ContextExceeded(403)
    assert account.cooldowns == {"quota": 60.0}


def test_an_action_alone_adds_no_sign():
    found, _ = read('[failures.transient]\naction = "next"\n[upstream]\nprovider_tries = 5\n')
    assert found is not None
    assert found.actions[FailureClass.TRANSIENT] == "next"
    assert found.classify(418, {}, b"", model="m", now=0.0).status == 418
    assert found.tries == 5


def test_only_errors_of_other_vendors_are_read_so():
    config = parse('[[accounts]]\nname = "a"\nsecret = "env:A"\n', HERE)
    assert derive.failures(config, config.accounts[0]) is None


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[failures.policy]\naction = "next"\n', 2, "must be pass"),
        ('[failures.transient]\ncooldown = "1min"\n', 2, "has no meaning here"),
        ('[failures.quota]\nwords = [" "]\n', 2, "words of the error itself"),
        ("[failures.quota]\nstatus = [200]\n", 2, "400"),
        ('[failures.quota]\naction = "wait"\n', 2, "pass"),
        ("[failures.quotas]\nstatus = [429]\n", 1, "quota"),
    ],
)
def test_what_cannot_be_is_said_with_its_line(text, line, said):
    told = wrong(text)
    assert told.startswith(f"{line}: ")
    assert said in told


def test_an_account_of_anthropic_has_no_failures_of_its_own():
    entry = (
        '[[accounts]]\nname = "a"\nsecret = "env:A"\nfailures = { quota = { cooldown = "1h" } }\n'
    )
    assert 'kind = "provider" only' in wrong("", entry)
