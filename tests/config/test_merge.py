from __future__ import annotations

import tomllib

import pytest

from maxpool.config.merge import merge
from maxpool.errors import MaxpoolError

MINE = """# mine
[pool]
strategy = "sticky"

[[accounts]]
id = "a"
name = "console"
priority = 3
"""

THEIRS = """# theirs
[server]
tls_key = "server.key"
port = 4000
[pool]
strategy = "cost"
slots_total = 10
[oauth.example]
client_id = "us"
[[client_keys]]
name = "laptop"
sha256 = "ab"
[[accounts]]
id = "a"
name = "work console"
[[accounts]]
name = "second"
[[accounts]]
name = "at home"
kind = "home"
config_dir = "homes/one"
"""


def test_what_is_here_stays_and_what_is_new_is_added():
    found = merge(MINE, THEIRS)
    data = tomllib.loads(found.text)
    assert found.text.startswith("# mine\n")
    assert data["pool"] == {"strategy": "sticky", "slots_total": 10}
    assert data["server"] == {"port": 4000}
    assert data["oauth"] == {"example": {"client_id": "us"}}
    assert data["client_keys"] == [{"name": "laptop", "sha256": "ab"}]
    assert [a["name"] for a in data["accounts"]] == ["console", "second", "at home"]
    assert data["accounts"][0]["priority"] == 3
    assert found.kept == ["pool.strategy", "work console"]
    assert found.replaced == []


def test_asked_to_it_replaces_and_matches_accounts_by_id():
    found = merge(MINE, THEIRS, replace=True)
    data = tomllib.loads(found.text)
    assert data["pool"]["strategy"] == "cost"
    assert data["accounts"][0] == {"id": "a", "name": "work console"}
    assert found.accounts["a"] == "work console"
    assert found.replaced == ["pool.strategy", "work console"]


def test_what_names_a_place_on_the_other_machine_is_left_out():
    for mine in ("", MINE):
        found = merge(mine, THEIRS)
        data = tomllib.loads(found.text)
        assert found.left_out == ["server.tls_key"]
        assert "tls_key" not in data["server"]
        assert "config_dir" not in data["accounts"][-1]


def test_into_an_empty_file_the_comments_come_along():
    found = merge("", THEIRS)
    assert found.text.startswith("# theirs\n")
    assert found.added == ["work console", "second", "at home"]
    assert found.accounts["a"] == "work console"


def test_a_name_that_another_account_has_here_is_refused():
    found = merge(MINE, '[[accounts]]\nid = "b"\nname = "console"\n', replace=True)
    assert found.refused == ["console"]
    assert found.text == MINE
    assert found.accounts == {}


def test_merging_twice_changes_nothing_more():
    once = merge(MINE, THEIRS).text
    again = merge(once, THEIRS)
    assert again.text == once
    assert again.added == []


@pytest.mark.parametrize(("mine", "theirs"), [("[", THEIRS), ("", "["), (MINE, "[")])
def test_what_is_not_toml_changes_nothing(mine, theirs):
    with pytest.raises(MaxpoolError, match="not valid TOML"):
        merge(mine, theirs)


def test_limits_are_added_once_and_prices_are_for_a_person_to_write():
    theirs = '[[limits]]\nrequests = "6/minute"\n[prices."gpt-5.2*"]\ninput = 1.0\noutput = 2.0\n'
    first = merge("[server]\nport = 1\n", theirs)
    assert (first.added, first.left_out) == (["a limit"], ["prices.gpt-5.2*"])
    assert tomllib.loads(first.text)["limits"] == [{"requests": "6/minute"}]
    assert merge(first.text, theirs).added == []
