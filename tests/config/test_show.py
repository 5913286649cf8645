import json
from pathlib import Path
from typing import Any

import pytest

from maxpool.config.load import Loaded, Overrides, parse
from maxpool.config.show import Table, as_json, as_toml, tables, toml_value

TEXT = """
[server]
port = 4000
[queue]
max_wait = "1h"
[[client_keys]]
name = "k"
key = "env:K"
[[accounts]]
name = "a"
secret = "env:A"
headers = { x-team = "blue", x-access-token = "hunter2" }
"""


def shown(text: str = TEXT, **overrides: Any) -> list[Table]:
    given = Overrides(**overrides)
    config = parse(text, Path("/c.toml"), given)
    return list(
        tables(Loaded(config=config, path=Path("/c.toml"), overrides=given), {"HOME": "/h"})
    )


def test_what_is_shown_reads_back_as_the_same_config():
    text = TEXT.replace(', x-access-token = "hunter2"', "")
    again = as_toml([t for t in shown(text) if t.name != "storage"])
    first, second = parse(text, Path("/c.toml")), parse(again, Path("/c.toml"))
    assert second.model_copy(update={"accounts": ()}) == first.model_copy(update={"accounts": ()})
    assert second.accounts[0].headers == {"x-team": "blue"}


def test_each_value_says_where_it_comes_from():
    data = as_json(shown(port=5000))
    assert data["server"]["port"] == {"value": 5000, "origin": "command line"}
    assert data["queue"]["max_wait"] == {"value": "1h", "origin": "file"}
    assert data["queue"]["heartbeat"] == {"value": "10s", "origin": "default"}


def test_an_account_shows_what_was_derived_for_it():
    account = as_json(shown())["accounts"][0]
    assert account["id"]["value"].startswith("a-")
    assert account["id"]["origin"] == "default"
    assert account["serves"]["value"] == ["*"]
    assert account["provider"]["value"] == "anthropic"


@pytest.mark.parametrize("form", [as_toml, lambda found: json.dumps(as_json(found))])
def test_a_secret_is_shown_as_a_reference_only(form):
    text = form(shown())
    assert "env:A" in text
    assert "hunter2" not in text


def test_the_state_folder_is_shown_where_it_really_is():
    assert "maxpool" in as_json(shown())["storage"]["folder"]["value"]
    config = parse("[storage]\nfolder = '/s'", Path("/c.toml"))
    folder = as_json(list(tables(Loaded(config=config, path=None), {})))["storage"]["folder"]
    assert folder == {"value": "/s", "origin": "file"}
    home = as_json(
        list(tables(Loaded(config=parse("", Path("/c")), path=None), {"MAXPOOL_HOME": "/m"}))
    )
    assert home["storage"]["folder"] == {"value": "/m", "origin": "environment"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ({"a b": [1, True]}, '{ "a b" = [1, true] }'),
        ("\u00e9\n", '"\u00e9\\n"'),
        (1.5, "1.5"),
    ],
)
def test_a_value_is_written_in_tomls_notation(value, text):
    assert toml_value(value) == text


def test_a_profile_is_shown_by_its_name_and_reads_back():
    text = TEXT + (
        '[oauth."my own"]\nauthorize_url = "https://a"\ntoken_url = "https://b"\nclient_id = "c"\n'
        '[[accounts]]\nname = "w"\nkind = "oauth"\noauth = "my own"\nterms_accepted = 2026-11-21\n'
    )
    text = text.replace(', x-access-token = "hunter2"', "")
    first, second = parse(text, Path("/c.toml")), parse(as_toml(shown(text)), Path("/c.toml"))
    assert first.oauth == second.oauth
    assert first.accounts[1].terms_accepted == second.accounts[1].terms_accepted is not None
