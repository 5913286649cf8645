from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from maxpool.adapters.sealed import Sealer, read_key
from maxpool.app.transfer import Imported
from maxpool.cli.group import maxpool
from maxpool.cli.import_ import lines
from maxpool.wire.credential import StoredCredential, encode

KEY = "ab" * 32
CONFIG = '[[accounts]]\nid = "a"\nname = "console"\n[[accounts]]\nname = "later"\n'


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`maxpool import` of a file with one key and two accounts."""
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MAXPOOL_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MAXPOOL_SECRET_KEY", KEY)
    stored = encode(StoredCredential(secret="sk-secret", origin="https://a"))
    data = {"version": 1, "config": CONFIG, "credentials": {"a": stored}, "moved": []}
    sealed = Sealer("export").seal(json.dumps(data).encode(), read_key(KEY, "here"))
    (tmp_path / "pool").write_bytes(sealed)
    phrase = tmp_path / "phrase"
    phrase.write_text(KEY)
    phrase.chmod(0o600)

    def go(*arguments: str):
        line = ["import", str(tmp_path / "pool"), *arguments, "--passphrase-file", str(phrase)]
        return CliRunner().invoke(maxpool, line)

    return go


def test_it_says_what_it_took_and_what_is_left_to_do(run, tmp_path):
    result = run()
    assert result.stdout.splitlines() == [
        f"Imported into {tmp_path}/config.toml.",
        "Added: console, later.",
        "Keys and tokens put into the vault: console.",
        "Log in with `maxpool login NAME`: later.",
    ]
    assert (tmp_path / "config.toml").read_text() == CONFIG


def test_a_second_time_nothing_is_new(run):
    run()
    found = json.loads(run("--json").stdout)
    assert (found["added"], found["kept"], found["to_log_in"]) == ([], [], ["later"])


def test_a_file_that_is_none_is_told_in_one_line(run, tmp_path):
    (tmp_path / "pool").write_text("[[accounts]]")
    result = run()
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"Error: {tmp_path / 'pool'} is no whole file of `maxpool export`"
    )
    assert len(result.stderr.splitlines()) == 2


def test_a_moved_login_tells_to_remove_the_file(tmp_path):  # T11
    found = Imported(added=[], replaced=[], kept=[], refused=["x"], left_out=[], moved=["work"])
    told = lines(tmp_path / "pool", tmp_path / "config.toml", found)
    assert told[-1].startswith(f"Moved here: work. Remove {tmp_path / 'pool'} now")
    assert any("Called like another account here" in line for line in told)
