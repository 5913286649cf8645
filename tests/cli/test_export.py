from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from maxpool.app.transfer import Exported
from maxpool.app.vault import lazy_vault
from maxpool.cli.export import lines
from maxpool.cli.group import maxpool
from maxpool.config.load import load
from maxpool.ports import Secret
from maxpool.wire.credential import StoredCredential, encode


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`maxpool export`, on a machine with one key."""
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MAXPOOL_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MAXPOOL_SECRET_KEY", "ab" * 32)
    (tmp_path / "config.toml").write_text('[[accounts]]\nid = "a"\nname = "console"\n')
    stored = encode(StoredCredential(secret="sk-secret", origin="https://a"))
    lazy_vault(load().config).put("a", Secret(stored))
    phrase = tmp_path / "phrase"
    phrase.write_text("ab" * 32)
    phrase.chmod(0o600)

    def go(*arguments: str, stdin: str | None = None):
        line = ["export", str(tmp_path / "pool"), *arguments, "--passphrase-file", str(phrase)]
        return CliRunner().invoke(maxpool, line, input=stdin)

    return go


def test_it_says_what_went_into_the_file_and_no_secret(run, tmp_path):
    result = run()
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{tmp_path}/pool holds the config with 1 account.",
        "With their keys and tokens: console.",
        "On the other machine: maxpool import pool",
    ]
    assert b"sk-secret" not in (tmp_path / "pool").read_bytes()


def test_a_file_that_exists_is_overwritten_only_when_asked(run, tmp_path):
    (tmp_path / "pool").write_text("mine")
    assert run().exit_code == 2
    assert (tmp_path / "pool").read_text() == "mine"
    assert json.loads(run("--force", "--json").stdout)["copied"] == ["console"]


def test_moving_logins_asks_first(run, tmp_path):
    result = run("--move", stdin="n\n")
    assert result.exit_code == 1
    assert not (tmp_path / "pool").exists()
    assert run("--move", stdin="y\n").exit_code == 0


def test_where_nobody_can_answer_the_way_to_move_logins_is_said(run, tmp_path):
    result = run("--move", stdin="")
    assert result.exit_code == 2
    assert "give --yes" in result.stderr
    assert not (tmp_path / "pool").exists()


def test_each_account_is_told_by_what_became_of_its_login(tmp_path):  # T11
    found = Exported(
        accounts=["a", "b", "c", "d"],
        moved=["a"],
        rotating=["b"],
        elsewhere={"c": "env:KEY"},
        without=["d"],
    )
    told = "\n".join(lines(tmp_path / "pool", found))
    assert "no longer logged in here: a. Import on one machine only." in told
    assert "which cannot be on two machines: b (see --move)" in told
    assert "c takes its secret from env:KEY." in told
    assert "Not logged in: d." in told
