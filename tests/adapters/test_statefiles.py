from __future__ import annotations

import json
import os
from hashlib import sha256

import pytest

from maxpool.adapters.statefiles import (
    address_told,
    admin_key,
    client_key,
    client_key_digest,
    first_time,
    revoke_client_key,
)
from maxpool.config import running
from maxpool.errors import StateError


def test_the_first_start_makes_a_key_of_256_bits_that_only_its_owner_may_read(tmp_path):  # X3
    folder = tmp_path / "state"
    found = admin_key(folder)
    path = folder / "admin.key"
    text = path.read_text().strip()
    assert len(bytes.fromhex(text)) == 32
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert found.digest == sha256(text.encode()).hexdigest()
    assert text not in repr(found)
    assert [f.name for f in folder.iterdir()] == ["admin.key"]


def test_later_starts_keep_the_key(tmp_path):
    first = admin_key(tmp_path)
    assert admin_key(tmp_path) == first
    assert first.notice is None


def test_two_state_folders_have_two_keys(tmp_path):
    assert admin_key(tmp_path / "a").digest != admin_key(tmp_path / "b").digest


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_key_that_others_could_read_is_replaced_loudly(tmp_path, mode):  # X3
    before = admin_key(tmp_path)
    path = tmp_path / "admin.key"
    path.chmod(mode)
    after = admin_key(tmp_path)
    assert after.digest != before.digest
    assert f"mode {mode:04o}" in (after.notice or "")
    assert path.stat().st_mode & 0o777 == 0o600
    assert admin_key(tmp_path).notice is None


@pytest.mark.parametrize("text", ["", "short", "g" * 64, "a" * 65, "\0" * 64])
def test_a_file_that_holds_no_key_is_replaced(tmp_path, text):
    path = tmp_path / "admin.key"
    path.write_text(text)
    path.chmod(0o600)
    found = admin_key(tmp_path)
    assert "held no key" in (found.notice or "")
    assert sha256((running.admin_key(tmp_path) or "").encode()).hexdigest() == found.digest


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("a" * 64)
    (tmp_path / "admin.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="cannot read"):
        admin_key(tmp_path)


def test_what_a_killed_start_left_is_no_hindrance(tmp_path):
    (tmp_path / "admin.key.new").write_text("half")
    assert admin_key(tmp_path).notice is None
    assert not (tmp_path / "admin.key.new").exists()


def test_the_address_is_told_while_the_server_runs(tmp_path):
    with address_told(tmp_path, "http://127.0.0.1:4000"):
        found = running.running(tmp_path)
        assert found == running.Running(url="http://127.0.0.1:4000", pid=os.getpid())
        assert (tmp_path / "server.json").stat().st_mode & 0o777 == 0o600
    assert running.running(tmp_path) is None


# -- the client key of this machine's tools ------------------------------------------------------------


def test_a_client_key_says_what_it_is_and_only_its_hash_leaves_the_file(tmp_path):  # X10
    found = client_key(tmp_path)
    path = tmp_path / "client.key"
    text = path.read_text().strip()
    assert (text[:4], len(text), path.stat().st_mode & 0o777) == ("mpk-", 47, 0o600)
    assert found.digest == sha256(text.encode()).hexdigest() == client_key_digest(tmp_path)
    assert text not in repr(found)
    assert client_key(tmp_path) == found
    assert running.client_key(tmp_path) == text
    assert running.client_key_file(tmp_path) == path


def test_a_client_key_that_others_could_read_opens_nothing(tmp_path):
    before = client_key(tmp_path)
    (tmp_path / "client.key").chmod(0o644)
    assert client_key_digest(tmp_path) == ""
    after = client_key(tmp_path)
    assert after.digest != before.digest
    assert "The client key was replaced" in (after.notice or "")


def test_without_a_client_key_there_is_none(tmp_path):
    assert client_key_digest(tmp_path) == ""
    assert running.client_key(tmp_path) is None
    assert running.client_key_file(tmp_path) is None
    assert not revoke_client_key(tmp_path)
    client_key(tmp_path)
    assert revoke_client_key(tmp_path)
    assert client_key_digest(tmp_path) == ""


def test_something_is_told_once_per_state_folder(tmp_path):
    assert [first_time(tmp_path, "told") for _ in range(3)] == [True, False, False]
    assert first_time(tmp_path, "else")
    assert first_time(tmp_path / "missing", "told"), "what cannot be noted is told again"


def test_the_address_of_whoever_took_over_stays(tmp_path):
    with address_told(tmp_path, "http://127.0.0.1:1"):
        other = json.dumps({"url": "http://127.0.0.1:1", "pid": os.getpid() + 1})
        (tmp_path / "server.json").write_text(other)
    assert (tmp_path / "server.json").read_text() == other
