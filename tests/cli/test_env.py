import json

from click.testing import CliRunner, Result

from maxpool.cli.group import maxpool
from tests.cli.operate import tell


def env(*arguments: str, **variables: str) -> Result:
    given = {
        "MAXPOOL_CONFIG": "/nowhere/config.toml",
        "MAXPOOL_HOME": "/nowhere",
        "SHELL": "/bin/bash",
        **variables,
    }
    return CliRunner(env=given).invoke(maxpool, ["env", *arguments])


def test_the_three_variables_are_printed_with_their_why():
    lines = env().stdout.splitlines()
    assert lines[0].startswith("# ")
    assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:3456" in lines
    assert "export ANTHROPIC_AUTH_TOKEN=maxpool" in lines
    assert "export ENABLE_PROMPT_CACHING_1H=1" in lines
    assert sum(line.startswith("# ") for line in lines) == 4


def test_the_port_may_be_named():
    assert "http://127.0.0.1:4000" in env("--port", "4000").stdout


def test_the_address_is_that_of_the_server_that_runs_unless_a_port_is_named(tmp_path):
    tell(tmp_path, "http://127.0.0.1:4999")
    assert "http://127.0.0.1:4999\n" in env(MAXPOOL_HOME=str(tmp_path)).stdout
    assert "http://127.0.0.1:4000\n" in env("--port", "4000", MAXPOOL_HOME=str(tmp_path)).stdout


def test_the_shell_is_the_users_own_unless_named():
    assert "set -gx" in env(SHELL="/usr/bin/fish").stdout
    assert "$env:" in env("--shell", "powershell").stdout


def test_a_configured_key_is_pointed_at_and_never_printed(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[[client_keys]]\nname = 'k'\nkey = 'env:MY_KEY'\n")
    result = env("--config", str(config), MY_KEY="hunter2")
    assert 'export ANTHROPIC_AUTH_TOKEN="$MY_KEY"' in result.stdout
    assert "hunter2" not in result.stdout


def test_json_names_the_same_variables():
    assert json.loads(env("--json").stdout) == {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:3456",
        "ANTHROPIC_AUTH_TOKEN": "maxpool",
        "ENABLE_PROMPT_CACHING_1H": "1",
    }


def test_with_its_own_login_claude_code_needs_only_the_address(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('[pool]\nclient_login = "first"\n')
    result = env("--own-login", "--config", str(config))
    assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:3456" in result.stdout
    assert "unset ANTHROPIC_AUTH_TOKEN" in result.stdout
    assert "export ANTHROPIC_AUTH_TOKEN" not in result.stdout
    assert not result.stderr
    values = json.loads(env("--own-login", "--json", "--config", str(config)).stdout)
    assert values["ANTHROPIC_AUTH_TOKEN"] is None


def test_that_own_logins_are_not_forwarded_is_said():
    assert 'client_login = "first"' in env("--own-login").stderr


def test_the_state_folder_s_own_key_is_read_when_the_lines_are_evaluated(tmp_path):  # X10
    path = tmp_path / "client.key"
    path.write_text("mpk-secret\n")
    home = {"MAXPOOL_HOME": str(tmp_path)}
    said = env(**home).stdout
    assert f'export ANTHROPIC_AUTH_TOKEN="$(cat {path})"' in said
    assert "mpk-secret" not in said + env("--json", **home).stdout
    assert "export ANTHROPIC_AUTH_TOKEN=mpk-secret" in env("--show-key", **home).stdout
    told = json.loads(env("--show-key", "--json", **home).stdout)
    assert told["ANTHROPIC_AUTH_TOKEN"] == "mpk-secret"


def test_the_key_asked_for_where_there_is_none_changes_nothing(tmp_path):
    home = {"MAXPOOL_HOME": str(tmp_path)}
    assert env("--show-key", **home).stdout == env(**home).stdout
