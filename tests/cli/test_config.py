import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maxpool.cli.group import maxpool

GOOD = """
[[accounts]]
name = "console"
secret = "env:CONSOLE_KEY"
[[accounts]]
name = "plan"
kind = "subscription"
secret = "file:plan.token"
enabled = false
[[accounts]]
name = "local"
kind = "provider"
base_url = "http://127.0.0.1:9001"
"""


def config(tmp_path: Path, text: str, *arguments: str, **env: str) -> Result:
    path = tmp_path / "c.toml"
    path.write_text(text)
    return CliRunner(env=env).invoke(maxpool, ["config", *arguments, "--config", str(path)])


def test_a_valid_file_says_what_each_account_serves(tmp_path):
    result = config(tmp_path, GOOD, "check", CONSOLE_KEY="x")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].endswith("c.toml is valid.")
    assert lines[2] == (
        "  console: api_key at https://api.anthropic.com, serves every program, secret env:CONSOLE_KEY"
    )
    assert "serves claude-code, disabled" in lines[3]
    assert lines[3].endswith("(not found here)")
    assert lines[4].endswith("no secret")


def test_every_problem_is_printed_with_its_line_and_the_exit_code_is_2(tmp_path):
    result = config(tmp_path, "[server]\nprot = 1\ndrain = 'x'\n", "check")
    assert result.exit_code == 2
    assert "c.toml:2: unknown key prot" in result.stderr
    assert "    did you mean port?" in result.stderr
    assert "c.toml:3: [server] drain" in result.stderr
    assert "2 problems" in result.stderr
    last = f"then run: maxpool config check --config {tmp_path / 'c.toml'}"
    assert result.stderr.splitlines()[-1].endswith(last)


def test_problems_come_as_json_too(tmp_path):
    result = config(tmp_path, "[server]\nprot = 1\n", "check", "--json")
    data = json.loads(result.stdout)
    assert result.exit_code == 2
    assert (data["valid"], data["problems"][0]["line"]) == (False, 2)


def test_a_valid_file_comes_as_json_too(tmp_path):
    data = json.loads(config(tmp_path, GOOD, "check", "--json").stdout)
    assert [account["secret_found"] for account in data["accounts"]] == [False, False, None]


def test_an_account_that_nobody_has_logged_in_for_says_how_to(tmp_path):
    home = {"MAXPOOL_HOME": str(tmp_path / "state")}
    result = config(tmp_path, "[[accounts]]\nname = 'a b'\n", "check", **home)
    assert result.stdout.splitlines()[-2].endswith(
        "secret in the vault (no login yet: maxpool login 'a b')"
    )
    (tmp_path / "state").mkdir()
    account_id = json.loads(
        config(tmp_path, "[[accounts]]\nname = 'a b'\n", "check", "--json").stdout
    )
    index = {"version": 1, "chosen": "file", "entries": {account_id["accounts"][0]["id"]: "file"}}
    (tmp_path / "state" / "vault.json").write_text(json.dumps(index))
    result = config(tmp_path, "[[accounts]]\nname = 'a b'\n", "check", **home)
    assert result.stdout.splitlines()[-1].endswith("secret in the vault")


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
def test_a_secret_that_others_may_read_is_told_with_its_remedy(tmp_path):
    token = tmp_path / "plan.token"
    token.write_text("x")
    token.chmod(0o644)
    text = GOOD.replace("enabled = false\n", "")
    result = config(tmp_path, text, "check", CONSOLE_KEY="x")
    assert result.exit_code == 0
    assert f"(mode 0644: run chmod 600 {token})" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("will not use: plan.")
    token.chmod(0o600)
    assert "mode" not in config(tmp_path, text, "check", CONSOLE_KEY="x").stdout


def test_the_last_line_names_the_accounts_that_the_server_will_not_use(tmp_path):
    result = config(tmp_path, GOOD, "check")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == (
        "Until that is mended, maxpool serve will not use: console."
    )


def test_a_plan_that_nobody_knows_is_told_with_how_it_counts(tmp_path):
    text = GOOD.replace(
        '[[accounts]]\nname = "local"', 'plan = "max20"\n[[accounts]]\nname = "local"'
    )
    result = config(tmp_path, text, "check", CONSOLE_KEY="x")
    assert result.exit_code == 0
    assert '    plan "max20" is not known (max_20x,' in result.stdout
    assert "treated as max_20x" in result.stdout


def test_no_file_at_all_is_fine_and_says_what_to_do(tmp_path):
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "MAXPOOL_CONFIG": ""}
    result = CliRunner(env=env).invoke(maxpool, ["config", "check"])
    assert result.exit_code == 0
    assert "No account yet" in result.stdout
    shown = CliRunner(env=env).invoke(maxpool, ["config", "show"])
    assert "no such file yet" in shown.stdout.splitlines()[0]


def test_what_holds_is_shown_with_its_origin_and_without_secrets(tmp_path):
    result = config(tmp_path, GOOD, "show", CONSOLE_KEY="hunter2")
    assert result.exit_code == 0
    assert 'secret = "env:CONSOLE_KEY"' in result.stdout
    assert "# default" in result.stdout
    assert "# file" in result.stdout
    assert "hunter2" not in result.stdout


def test_what_holds_comes_as_json_too(tmp_path):
    data = json.loads(config(tmp_path, GOOD, "show", "--json").stdout)
    assert data["server"]["port"] == {"value": 3456, "origin": "default"}
    assert data["accounts"][0]["name"]["value"] == "console"
