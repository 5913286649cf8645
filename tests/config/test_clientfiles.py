import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.config.clientfiles import (
    CLIENTS,
    Wanted,
    as_json,
    patched,
    points_at,
    same_server,
    shown,
)
from maxpool.errors import MaxpoolError

URL = "http://127.0.0.1:3456"
PLAIN = Wanted(url=URL)
KEYED = Wanted(url=URL, key_file="/state/my key")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("wanted", [PLAIN, KEYED, Wanted(url=URL, key_env="K", model="m")])
def test_a_patched_file_points_here_and_patching_again_changes_nothing(client, wanted):
    once = patched(client, "", wanted)
    there = points_at(client, once)
    assert there is not None
    assert same_server(there, URL)
    assert patched(client, once, wanted) == once
    assert shown(client, wanted) == once
    assert as_json(client, once)


def test_claude_code_keeps_every_other_setting_and_its_layout():
    text = '{\n    "theme": "dark",\n    "env": {"FOO": "1", "ANTHROPIC_API_KEY": "sk"},\n    "x": [1]\n}\n'
    after = patched("claude-code", text, PLAIN)
    data = json.loads(after)
    assert data["env"] == {
        "FOO": "1",
        "ANTHROPIC_BASE_URL": URL,
        "ENABLE_PROMPT_CACHING_1H": "1",
        "ANTHROPIC_AUTH_TOKEN": "maxpool",
    }
    assert '    "theme": "dark",' in after
    assert '    "x": [1]' in after


def test_claude_code_gets_its_key_from_a_program_and_never_beside_a_token():
    data = json.loads(patched("claude-code", "{}", KEYED))
    assert data["apiKeyHelper"] == "cat '/state/my key'"
    assert "ANTHROPIC_AUTH_TOKEN" not in data["env"]


def test_claude_code_with_its_own_login_gets_the_address_alone():
    data = json.loads(patched("claude-code", "{}", Wanted(url=URL, own_login=True)))
    assert data == {"env": {"ANTHROPIC_BASE_URL": URL}}


def test_codex_keeps_comments_and_other_tables():
    text = '# mine\nmodel = "gpt-5.6" # fine\n\n[projects."/a"]\ntrust_level = "trusted"\n'
    after = patched("codex", text, KEYED)
    assert after.startswith('# mine\nmodel = "gpt-5.6" # fine\n')
    data = tomllib.loads(after)
    assert data["projects"]["/a"] == {"trust_level": "trusted"}
    assert data["model_provider"] == "maxpool"
    assert data["model_providers"]["maxpool"] == {
        "name": "maxpool",
        "base_url": f"{URL}/v1",
        "wire_api": "responses",
        "env_key": "MAXPOOL_KEY",
    }


def test_codex_loses_the_key_again_where_none_is_asked_for():
    after = patched("codex", patched("codex", "", KEYED), PLAIN)
    assert "env_key" not in tomllib.loads(after)["model_providers"]["maxpool"]


def test_opencode_keeps_its_providers_and_the_models_that_stood_there():
    before = {
        "provider": {
            "other": {"npm": "x"},
            "maxpool": {"models": {"mine": {"name": "Mine"}}},
        }
    }
    wanted = Wanted(url=URL, key_file="/k", models=("claude-x",), model="small")
    data = json.loads(patched("opencode", json.dumps(before), wanted))
    assert data["provider"]["other"] == {"npm": "x"}
    ours = data["provider"]["maxpool"]
    assert ours["options"] == {"baseURL": f"{URL}/v1", "apiKey": "{file:/k}"}
    assert ours["models"] == {"mine": {"name": "Mine"}, "claude-x": {}, "small": {}}
    assert data["model"] == "maxpool/small"


@pytest.mark.parametrize(
    ("client", "text"),
    [("opencode", '{ // c\n "a": 1 }'), ("claude-code", "[]"), ("codex", "a = = 1")],
)
def test_a_text_that_cannot_be_read_is_refused_and_points_nowhere(client, text):
    with pytest.raises((ValueError, MaxpoolError)):
        patched(client, text, PLAIN)
    assert points_at(client, text) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (URL, "http://localhost:3456/v1", True),
        (URL, "http://[::1]:3456/anthropic", True),
        (URL, "http://127.0.0.1:3457", False),
        ("https://api.anthropic.com", URL, False),
        ("http://x:99999999", URL, False),
    ],
)
def test_addresses_of_one_server(one, other, same):
    assert same_server(one, other) is same


KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=8)
HELD = st.dictionaries(KEYS, st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=4)


@given(HELD, st.sampled_from(["claude-code", "opencode"]), st.sampled_from([None, 2]))
def test_everything_else_in_a_json_file_stays(held, client, indent):
    ours = {"env", "provider", "model", "apiKeyHelper", "$schema"}
    kept = {k: v for k, v in held.items() if k not in ours}
    after = json.loads(patched(client, json.dumps(kept, indent=indent), PLAIN))
    assert {k: v for k, v in after.items() if k not in ours} == kept
