"""The demo's proxy: invented accounts, invented secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from maxpool.config import derive
from maxpool.config.load import parse
from maxpool.errors import SecretError
from maxpool.sim.demo import SIGN_IN_MARK, InventedSecrets, demo_config, sign_in_config
from maxpool.sim.people import demo_world


def test_the_demo_serves_every_program_with_plans_a_key_and_a_provider():
    people, settings = demo_world(2.0)
    config = demo_config("http://127.0.0.1:1", people, settings, 0)
    accounts = derive.accounts(config)
    assert sorted(a.kind for a in accounts) == ["api_key", "provider", *["subscription"] * 3]
    assert {a.serves for a in accounts} == {None}


def test_windows_have_the_length_that_the_upstream_has():
    people, settings = demo_world(2.0)
    config = demo_config("http://127.0.0.1:1", people, settings, 0)
    lengths = derive.pool_settings(config).window_lengths
    assert lengths == {"5h": settings.window_5h_s, "7d": settings.window_7d_s}
    assert lengths["5h"] == 120.0


def test_each_reference_gives_the_invented_secret():
    people, settings = demo_world(2.0)
    secrets = InventedSecrets(people)
    for entry in demo_config("http://127.0.0.1:1", people, settings, 0).accounts:
        assert "demo" in secrets.resolve(entry.secret or "").reveal()
    with pytest.raises(SecretError):
        secrets.resolve("env:NOBODY")


def test_the_config_for_trying_logins_names_the_upstream_s_own_sign_in():
    _, settings = demo_world(2.0)
    text = sign_in_config("http://127.0.0.1:1", settings)
    config = parse(text, Path("/demo.toml"))
    assert text.startswith(SIGN_IN_MARK)
    assert config.oauth["demo"].client_id == settings.oauth_client_id
    assert config.upstream.base_url == "http://127.0.0.1:1"
    assert config.pool.window_5h_s == settings.window_5h_s
