"""With a stand-in for the official program: a script that says what it was given."""

from __future__ import annotations

import json

import pytest

from maxpool.adapters import claude
from maxpool.adapters.process import SECRET_KEY_VARIABLE


def program(folder, text: str) -> str:
    path = folder / "claude"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


def test_it_is_found_on_the_path_or_where_a_variable_says(tmp_path):
    found = program(tmp_path, "exit 0")
    assert claude.find({"PATH": str(tmp_path)}) == found
    assert claude.find({"PATH": "/nowhere", "MAXPOOL_CLAUDE": found}) == found
    assert claude.find({"PATH": "/nowhere"}) is None


def test_it_runs_without_what_would_point_it_at_a_gateway(tmp_path, monkeypatch):
    for name in (*claude.OURS, SECRET_KEY_VARIABLE, "MAXPOOL_ADMIN_KEY"):
        monkeypatch.setenv(name, "from-the-pool")
    monkeypatch.setenv("KEPT", "yes")
    started = program(tmp_path, f'env > {tmp_path}/env; echo "$@" > {tmp_path}/args; exit 3')
    assert claude.run(started, ["auth", "login"], {"CLAUDE_CONFIG_DIR": "/a/home"}) == 3
    seen = (tmp_path / "env").read_text()
    assert "from-the-pool" not in seen
    assert {"KEPT=yes", "CLAUDE_CONFIG_DIR=/a/home"} <= set(seen.splitlines())
    assert (tmp_path / "args").read_text() == "auth login\n"


@pytest.mark.parametrize(
    ("says", "code", "expected"),
    [
        (json.dumps({"loggedIn": True, "email": "me@example.invalid"}), 0, True),
        (json.dumps({"loggedIn": False}), 1, False),
        ("error: unknown command", 1, None),
        (json.dumps(["loggedIn"]), 0, None),
        ("", 0, None),
    ],
)
def test_it_is_asked_only_whether_somebody_is_signed_in(tmp_path, says, code, expected):
    started = program(tmp_path, f"echo '{says}'; exit {code}")
    assert claude.knows_sign_in(started, tmp_path) is expected


def test_a_version_that_sits_and_waits_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(claude, "STATUS_TIMEOUT_S", 0.2)
    assert claude.knows_sign_in(program(tmp_path, "exec sleep 30"), tmp_path) is None
