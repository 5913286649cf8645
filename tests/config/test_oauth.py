"""`[oauth.NAME]` sections: what they need, and which mistakes are named."""

from pathlib import Path

import pytest

from maxpool.config.load import parse
from maxpool.config.model import Config
from maxpool.errors import ConfigError

PROFILE = """
[oauth.example]
authorize_url = "https://login.example.com/authorize"
token_url = "https://login.example.com/token"
client_id = "mine"
"""
ACCOUNT = """
[[accounts]]
name = "work"
kind = "oauth"
oauth = "example"
"""


def parse_text(text: str) -> Config:
    return parse(text, Path("config.toml"))


def problems(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_text(text)
    return "\n".join(p.message for p in caught.value.problems)


def test_a_profile_and_its_account_are_taken():
    config = parse_text(PROFILE + ACCOUNT)
    assert config.oauth["example"].redirect == "loopback"
    assert config.accounts[0].oauth == "example"


def test_an_account_without_its_profile_is_named():
    assert "names no [oauth.NAME] section" in problems(ACCOUNT)


def test_a_wrong_profile_does_not_also_read_as_a_missing_one():
    found = problems(PROFILE.replace("client_id", "client") + ACCOUNT)
    assert "names no" not in found


def test_a_pasted_code_needs_the_page_that_shows_it():
    assert "needs redirect_url" in problems(PROFILE + 'redirect = "paste"\n')


def test_a_token_endpoint_without_encryption_is_refused():
    assert "unencrypted" in problems(
        PROFILE.replace("https://login.example.com/token", "http://x.example/t")
    )
    parse_text(PROFILE.replace("https://login.example.com/token", "http://127.0.0.1:9/token"))


def test_an_oauth_account_needs_a_profile_and_takes_no_secret():
    entry = '[[accounts]]\nname = "w"\nkind = "oauth"\nsecret = "env:X"\n'
    found = problems(PROFILE + entry)
    assert "needs oauth" in found
    assert "are kept by maxpool" in found


def test_only_oauth_accounts_name_a_profile_and_only_homes_a_folder():
    entry = '[[accounts]]\nname = "w"\noauth = "example"\nconfig_dir = "x"\n'
    found = problems(PROFILE + entry)
    assert 'kind = "oauth" only' in found
    assert 'kind = "home" only' in found


def test_probes_are_never_closer_than_five_minutes():
    assert "at least 5min" in problems('[probes]\ngap = "4min"\n')
    assert "must not be shorter" in problems('[probes]\ngap_max = "6min"\n')
