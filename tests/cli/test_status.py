import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maxpool.cli.group import maxpool
from maxpool.cli.status import Source
from tests.cli.operate import tell
from tests.cli.stub import Stub, account, picture, serving

CODE = "import sys; from maxpool.cli.group import run; sys.exit(run(sys.argv[1:]))"


def status(*arguments: str, **env: str) -> Result:
    nowhere = {"MAXPOOL_CONFIG": "/nowhere/config.toml", "MAXPOOL_HOME": "/nowhere/state"}
    return CliRunner(env={**nowhere, **env}).invoke(maxpool, ["status", *arguments])


def test_the_verdict_comes_first_and_then_the_accounts():
    with serving(picture(account("a"))) as stub:
        result = status("--url", stub.url)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "1 of 1 accounts ready"
    assert "2 h 24 min" in result.stdout


def test_json_is_what_the_server_said():
    with serving(picture(account("a"))) as stub:
        result = status("--url", stub.url, "--json")
    assert json.loads(result.stdout) == picture(account("a"))


def test_the_port_comes_from_the_config(tmp_path):
    config = tmp_path / "c.toml"
    with serving(picture(account("a"))) as stub:
        config.write_text(f"[server]\nport = {stub.port}\n")
        assert status("--config", str(config)).exit_code == 0
        assert status(MAXPOOL_CONFIG=str(config)).exit_code == 0


def test_a_server_that_took_another_port_is_found_by_its_state_folder(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[server]\nport = 1\n[storage]\nfolder = 'state'\n")
    (tmp_path / "state").mkdir()
    with serving(picture(account("a"))) as stub:
        tell(tmp_path / "state", stub.url)
        assert status("--config", str(config)).exit_code == 0
        assert status("--config", str(config), "--url", "http://127.0.0.1:1").exit_code == 3


def test_a_server_that_wants_a_key_gets_the_one_of_the_environment():
    with serving(picture(account("a"))) as stub:
        status("--url", stub.url, MAXPOOL_KEY="k")
    assert stub.asked[0][1]["x-maxpool-key"] == "k"


def test_no_server_ends_with_3_and_what_to_do():
    result = status("--url", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "maxpool serve" in result.stderr.splitlines()[-1]


def test_no_account_that_can_serve_ends_with_4_after_the_picture():
    with serving(picture(account("a", "cooling"))) as stub:
        result = status("--url", stub.url)
    assert result.exit_code == 4
    assert "cooling" in result.stdout
    assert "No account can serve" in result.stderr


@pytest.mark.parametrize("url", ["localhost:3456", "ftp://x", "http://", "http://x:port"])
def test_an_address_that_is_none_is_wrong_usage(url):
    assert status("--url", url).exit_code == 2


def watching(stub: Stub, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-u", "-c", CODE, "status", "--url", stub.url, "--watch", "0.2"]
    return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_watching_looks_again_until_it_is_told_to_end(arguments):
    with serving(picture(account("a"))) as stub, watching(stub, *arguments) as process:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen += "1 of 1 accounts ready" in line
            if seen == 2:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_status_at_a_pipe_loads_nothing_but_click():
    with serving(picture(account("a"))) as stub:
        code = (
            "import sys; from maxpool.cli.group import run; "
            f"run(['status', '--url', '{stub.url}']); "
            "print([m for m in ('rich', 'pydantic', 'starlette', 'httpx2', 'platformdirs', 'tomlkit', 'maxpool.app')"
            " if m in sys.modules])"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    assert answer.stdout.splitlines()[-1] == "[]"


def test_the_source_trusts_the_servers_own_certificate(tmp_path):
    with serving(picture()) as stub:
        source = Source(url=stub.url, certificate=Path(tmp_path / "missing.pem"))
        assert source.look()["accounts"] == []


def test_a_paused_pool_exits_with_4_and_says_what_ends_it():
    shown = picture(account("a"))
    shown["summary"]["paused"] = True
    with serving(shown) as stub:
        result = status("--url", stub.url)
    assert result.exit_code == 4
    assert result.stderr.strip().endswith("maxpool resume")
