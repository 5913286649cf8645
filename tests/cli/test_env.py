import json
import subprocess
import sys

from click.testing import CliRunner, Result

from maxpool.cli.group import maxpool


def env(*arguments: str, **variables: str) -> Result:
    given = {"MAXPOOL_CONFIG": "/nowhere/config.toml", "SHELL": "/bin/bash", **variables}
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


def test_env_loads_nothing_but_click_and_the_standard_library():
    code = (
        "import sys; from maxpool.cli.group import run; run(['env']); "
        "names = {m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names; "
        "print(sorted(n for n in names if not n.startswith('_')))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "['click', 'maxpool']"
