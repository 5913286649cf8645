"""`maxpool keys` without a server, and with one elsewhere. (With one here: tests/claims/test_following.)"""

from __future__ import annotations

import json
import tomllib
from datetime import date
from hashlib import sha256

import pytest

from tests.cli.operate import say
from tests.cli.stub import serving


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "none.toml"
    path.write_text("version = 1\n")
    return path


def test_the_key_alone_is_printed_and_only_its_hash_is_kept(tmp_path, config):
    result = say(tmp_path, "keys", "add", "laptop", "--priority", "7")
    key = result.stdout.strip()
    (held,) = tomllib.loads(config.read_text())["client_keys"]
    digest = sha256(key.encode()).hexdigest()
    assert held == {"name": "laptop", "sha256": digest, "priority": 7}
    assert "this once" in result.stderr
    assert key not in say(tmp_path, "keys", "list").output


def test_keys_are_listed_and_revoked_by_name(tmp_path, config):
    told = json.loads(say(tmp_path, "keys", "add", "a", "--json").stdout)
    assert (told["name"], told["running"], told["key"][:4]) == ("a", False, "mpk-")
    listed = json.loads(say(tmp_path, "keys", "list", "--json").stdout)
    assert listed == {
        "keys": [{"name": "a", "priority": 0, "limits": {}, "kept": "hash"}],
        "running": False,
    }
    wrong = say(tmp_path, "keys", "revoke", "b")
    assert (wrong.exit_code, wrong.stderr.splitlines()[-1]) == (1, "There are: a")
    assert say(tmp_path, "keys", "revoke", "a").stdout.strip() == "a opens nothing any more."
    assert "no client key" in say(tmp_path, "keys", "list").stdout


def test_limits_are_written_beside_the_key_and_listed(tmp_path, config):
    said = ("--model", "claude-haiku-*", "--model", "claude-opus-4-8", "--profile", "team")
    more = ("--requests", "4", "--max-wait", "90s", "--expires", "2999-12-31")
    assert say(tmp_path, "keys", "add", "a", *said, *more).exit_code == 0
    (held,) = tomllib.loads(config.read_text())["client_keys"]
    assert held["models"] == ["claude-haiku-*", "claude-opus-4-8"]
    assert held["expires"] == date(2999, 12, 31)
    listed = say(tmp_path, "keys", "list").stdout
    limits = "models claude-haiku-* claude-opus-4-8, profile team, 4 at once, waits 90s"
    assert f"{limits}, until 2999-12-31" in " ".join(listed.split())


def test_a_first_key_makes_the_config_file(tmp_path, config):
    config.unlink()
    assert say(tmp_path, "keys", "add", "a").exit_code == 0
    assert config.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "wrong",
    [
        ["add", "a", "--priority", "101"],
        ["add", "local"],
        ["add", "a", "--requests", "0"],
        ["add", "a", "--max-wait", "soon"],
        ["add", "a", "--expires", "31.12.2999"],
    ],
)
def test_what_is_wrong_makes_no_key(tmp_path, config, wrong):
    result = say(tmp_path, "keys", *wrong)
    assert result.exit_code in (1, 2)
    assert "mpk-" not in result.output
    assert config.read_text() == "version = 1\n"


def test_keys_of_a_server_elsewhere_are_its_own_to_keep(tmp_path, config):
    answer = {"keys": [], "config_path": "/etc/c.toml", "key": "mpk-theirs", "revoked": "a"}
    with serving(answer) as stub:
        where = {"MAXPOOL_ADMIN_KEY": "k"}
        added = say(tmp_path, "keys", "add", "a", "--url", stub.url, **where)
        revoked = say(tmp_path, "keys", "revoke", "a b", "--url", stub.url, **where)
        assert (added.stdout, revoked.exit_code) == ("mpk-theirs\n", 0)
        assert [path for path, _ in stub.asked] == [
            *("/admin/keys", "/admin/keys"),
            *("/admin/keys", "/admin/keys/a%20b"),
        ]
    assert config.read_text() == "version = 1\n"
