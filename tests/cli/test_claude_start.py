"""The environment that `claude` gets, and finding it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maxpool.cli.claude_start import at_home, find, through_pool

USERS = {
    "PATH": "/bin",
    "ANTHROPIC_API_KEY": "sk-mine",
    "CLAUDE_CODE_OAUTH_TOKEN": "tok",
    "ANTHROPIC_BASE_URL": "https://elsewhere",
    "CLAUDE_CODE_USE_BEDROCK": "1",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Team: a\nx-maxpool-account: old\n",
}
POOL = "http://127.0.0.1:3456"


def test_through_the_pool_it_shows_one_key_and_asks_for_the_hour_of_cache():
    assert through_pool(USERS, POOL, "key-1") == {
        "PATH": "/bin",
        "ANTHROPIC_BASE_URL": POOL,
        "ANTHROPIC_AUTH_TOKEN": "key-1",
        "ENABLE_PROMPT_CACHING_1H": "1",
        "ANTHROPIC_CUSTOM_HEADERS": "X-Team: a",
    }


def test_without_a_key_any_text_will_do():
    assert through_pool({}, POOL, None)["ANTHROPIC_AUTH_TOKEN"] == "maxpool"


def test_one_account_is_named_in_a_header_beside_the_users_own():
    found = through_pool(USERS, POOL, None, account="max")
    assert found["ANTHROPIC_CUSTOM_HEADERS"] == "X-Team: a\nx-maxpool-account: max"


@pytest.mark.parametrize(("key", "headers"), [(None, None), ("key-1", "x-maxpool-key: key-1")])
def test_a_client_that_keeps_its_own_login_is_given_no_other(key: str | None, headers: str | None):
    found = through_pool({"ANTHROPIC_API_KEY": "sk-mine"}, POOL, key, own_login=True)
    assert (found["ANTHROPIC_API_KEY"], found["ANTHROPIC_BASE_URL"]) == ("sk-mine", POOL)
    assert "ANTHROPIC_AUTH_TOKEN" not in found
    assert found.get("ANTHROPIC_CUSTOM_HEADERS") == headers


def test_at_home_nothing_leads_past_the_homes_own_login():
    assert at_home({**USERS, "ANTHROPIC_AUTH_TOKEN": "t"}, Path("/h")) == {
        "PATH": "/bin",
        "CLAUDE_CONFIG_DIR": "/h",
        "ANTHROPIC_CUSTOM_HEADERS": "X-Team: a",
    }


def test_the_client_never_sees_the_key_to_the_logins(tmp_path: Path):  # X4
    given = {**USERS, "MAXPOOL_SECRET_KEY": "k", "MAXPOOL_ADMIN_KEY": "k"}
    for env in (through_pool(given, POOL, None), at_home(given, tmp_path)):
        assert not {"MAXPOOL_SECRET_KEY", "MAXPOOL_ADMIN_KEY"} & env.keys()


def test_the_program_is_the_named_one_then_the_variables_then_the_paths(tmp_path: Path):
    for name in ("claude", "other"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    env = {"PATH": str(tmp_path)}
    other = str(tmp_path / "other")
    assert find(env, None) == str(tmp_path / "claude")
    assert find({**env, "MAXPOOL_CLAUDE": other}, None) == find(env, "other") == other
    assert find({"PATH": "/nowhere"}, None) is find(env, "missing") is None
