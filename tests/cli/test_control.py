from __future__ import annotations

import pytest

from maxpool.cli.control import Control, control
from maxpool.errors import MaxpoolError, NotRunning
from tests.cli.operate import say, tell
from tests.cli.stub import serving


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path))
    monkeypatch.setenv("MAXPOOL_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.delenv("MAXPOOL_ADMIN_KEY", raising=False)
    return tmp_path


def test_server_and_key_are_found_in_the_state_folder(folder):
    tell(folder, "http://127.0.0.1:4000", "the-key")
    found = control(None, None)
    assert found == Control(url="http://127.0.0.1:4000", key="the-key", local=True)


def test_the_state_folder_may_be_named_by_the_config(folder):
    (folder / "here").mkdir()
    tell(folder / "here", "http://127.0.0.1:4000", "the-key")
    config = folder / "c.toml"
    config.write_text('[storage]\nfolder = "here"\n')
    assert control(None, config).key == "the-key"


def test_the_key_of_the_environment_comes_first(folder, monkeypatch):
    tell(folder, "http://127.0.0.1:4000", "the-key")
    monkeypatch.setenv("MAXPOOL_ADMIN_KEY", "another")
    assert control("http://127.0.0.1:5000", None) == Control(
        url="http://127.0.0.1:5000", key="another"
    )


WITH_AND_WITHOUT = (
    ["accounts"],
    ["accounts", "show", "a"],
    ["accounts", "disable", "a"],
    ["accounts", "confirm", "a"],
    ["accounts", "automatic"],
    ["accounts", "priority", "a", "1"],
    ["accounts", "remove", "a", "--yes"],
    ["accounts", "rename", "a", "b"],
    ["keys", "list"],
    ["keys", "add", "b"],
    ["keys", "revoke", "b"],
)
"""Verbs that work on the files where no server runs."""

VERBS = (
    ["sessions"],
    ["sessions", "move", "s", "a"],
    ["explain"],
    ["explain", "a-request"],
    ["explain", "--model", "m"],
    ["pause"],
    ["resume"],
    ["reload"],
    ["stop"],
)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_server_ends_with_3_and_what_to_do(tmp_path, verb):
    result = say(tmp_path, *verb)
    assert result.exit_code == 3
    assert "no maxpool is running" in result.stderr
    assert "maxpool serve" in result.stderr.splitlines()[-1]


def test_a_key_is_sent_to_nobody_while_no_server_runs(folder):
    with serving({"accounts": []}) as stub:
        (folder / "admin.key").write_text("the-key")
        (folder / "none.toml").write_text(f"[server]\nport = {stub.port}\n")
        with pytest.raises(NotRunning):
            control(None, folder / "none.toml")
        assert not stub.asked


def test_no_key_is_said_with_what_to_do(folder):
    tell(folder, "http://127.0.0.1:4000", "")
    with pytest.raises(MaxpoolError, match="no admin key") as caught:
        control(None, None)
    assert "MAXPOOL_ADMIN_KEY" in caught.value.hint


@pytest.mark.parametrize("runs", [True, False])
def test_the_key_of_the_state_folder_is_sent_to_no_other_address(folder, runs):
    with serving({"accounts": []}) as stub:
        (folder / "admin.key").write_text("the-key")
        if runs:
            tell(folder, "http://127.0.0.1:4000", "the-key")
        result = say(folder, "accounts", "--url", stub.url)
        assert result.exit_code == 1
        assert f"is not for {stub.url}, and is not sent there" in result.stderr
        assert "MAXPOOL_ADMIN_KEY" in result.stderr.splitlines()[-1]
        assert not stub.asked


def test_the_running_servers_own_address_may_be_named(folder):
    tell(folder, "http://127.0.0.1:4000", "the-key")
    assert control("http://127.0.0.1:4000", None).key == "the-key"


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_taken_is_said_as_such(status):
    with serving({"error": {"message": "no"}}, status) as stub:
        with pytest.raises(MaxpoolError, match="does not take this admin key"):
            Control(url=stub.url, key="k").get("/accounts")
        assert stub.asked[0][1]["x-maxpool-admin-key"] == "k"


def test_the_servers_own_words_end_a_refused_command():
    error = {"error": {"message": "a is disabled. Enable it first."}}
    with serving(error, 409) as stub, pytest.raises(MaxpoolError, match="a is disabled") as caught:
        Control(url=stub.url, key="k").get("/accounts")
    assert caught.value.hint == "Enable it first."


@pytest.mark.parametrize("verb", [*VERBS, *WITH_AND_WITHOUT], ids=" ".join)
@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"<html>", 200), ({"status": "ok"}, 200), ([], 200), ({"detail": "Not Found"}, 404)],
    ids=["html", "other json", "a list", "an error of another"],
)
def test_something_that_is_not_maxpool_is_said_as_such_by_every_verb(
    tmp_path, verb, answer, status
):
    with serving(answer, status) as stub:
        result = say(tmp_path, *verb, "--url", stub.url, MAXPOOL_ADMIN_KEY="k")
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"what answers at {stub.url} is not maxpool (HTTP {status})" in result.stderr
        assert result.stderr.splitlines()[-1] == "Name the right address with --url"
