from __future__ import annotations

import pytest

from maxpool.app.edits import FileEdits
from maxpool.config.load import load
from maxpool.errors import MaxpoolError


def test_the_admin_api_edits_as_the_commands_do(tmp_path, monkeypatch):
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    path = tmp_path / "config.toml"
    path.write_text('[[accounts]]\nname = "a"\nsecret = "env:A"\n')
    edits = FileEdits(path)
    assert edits.add_key("k", 1, {"requests": 2}).reveal().startswith("mpk-")
    assert edits.remove_account("a", keep_secret=False) == (
        f"a is removed from {path}. Its secret stays where it is: env:A."
    )
    edits.revoke_key("k")
    assert load(path).config.accounts == ()
    assert load(path).config.client_keys == ()
    with pytest.raises(MaxpoolError, match="no account called 'a'"):
        edits.remove_account("a", keep_secret=False)
