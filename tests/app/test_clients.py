import json

import pytest

from maxpool.app.clients import installed, leads_to, place_of, write
from maxpool.config.clientfiles import Wanted
from maxpool.errors import MaxpoolError

PLAIN = Wanted(url="http://127.0.0.1:3456")


@pytest.fixture
def env(tmp_path):
    return {"HOME": str(tmp_path)}


def test_each_client_has_its_file_where_it_looks_for_it(tmp_path, env):
    assert place_of("claude-code", env) == tmp_path / ".claude/settings.json"
    assert place_of("codex", env) == tmp_path / ".codex/config.toml"
    assert place_of("opencode", env) == tmp_path / ".config/opencode/opencode.json"
    named = {**env, "CLAUDE_CONFIG_DIR": "/c", "CODEX_HOME": "/x", "OPENCODE_CONFIG": "/o.json"}
    assert str(place_of("claude-code", named)) == "/c/settings.json"
    assert str(place_of("codex", named)) == "/x/config.toml"
    assert str(place_of("opencode", named)) == "/o.json"


def test_the_file_as_it_was_is_kept_once_and_the_rest_stays(env):
    path = place_of("claude-code", env)
    path.parent.mkdir()
    path.write_text('{"theme": "dark"}')
    first = write("claude-code", PLAIN, env)
    assert first.backup is not None
    assert first.backup.read_text() == '{"theme": "dark"}'
    assert json.loads(path.read_text())["theme"] == "dark"
    again = write("claude-code", PLAIN, env)
    assert (again.changed, again.backup) == (False, None)
    moved = write("claude-code", Wanted(url="http://127.0.0.1:9999"), env)
    assert (moved.changed, moved.backup) == (True, None)
    assert first.backup.read_text() == '{"theme": "dark"}'


def test_a_new_file_has_no_copy_and_is_its_owners(env):
    done = write("codex", PLAIN, env)
    assert (done.changed, done.backup) == (True, None)
    assert done.path.stat().st_mode & 0o777 == 0o600


def test_a_file_with_comments_is_left_as_it_is(env):
    path = place_of("opencode", env)
    path.parent.mkdir(parents=True)
    path.write_text('{ // mine\n "a": 1 }')
    with pytest.raises(MaxpoolError) as caught:
        write("opencode", PLAIN, env)
    assert "--patch opencode" in caught.value.hint
    assert path.read_text() == '{ // mine\n "a": 1 }'


def test_where_a_client_goes_is_what_the_environment_says_first(env):
    assert not installed("claude-code", env)
    assert leads_to("claude-code", env) is None
    write("claude-code", PLAIN, env)
    assert installed("claude-code", env)
    assert leads_to("claude-code", env) == "http://127.0.0.1:3456"
    assert leads_to("claude-code", {**env, "ANTHROPIC_BASE_URL": "http://b"}) == "http://b"
