from pathlib import Path

import pytest

from maxpool.config.account import AccountConfig
from maxpool.config.load import parse
from maxpool.config.providers import SHARED, ProviderConfig, inherited, with_shared
from maxpool.errors import ConfigError

HERE = Path("/etc/maxpool/config.toml")
SECTION = """
[providers.groq]
format = "openai-chat"
base_url = "https://api.groq.example/openai/v1"
headers = { x-team = "blue" }
slots = 7
"""


def accounts(text: str) -> dict[str, AccountConfig]:
    return {a.name: a for a in parse(text, HERE).accounts}


def test_an_account_has_from_its_provider_what_it_does_not_say():
    found = accounts(
        SECTION
        + """
[[accounts]]
name = "one"
provider = "groq"
secret = "env:A"
slots = 3
[[accounts]]
name = "groq"
kind = "provider"
secret = "env:B"
[[accounts]]
name = "other"
secret = "env:C"
"""
    )
    one, own, other = found["one"], found["groq"], found["other"]
    assert (one.kind, one.format, one.slots) == ("provider", "openai-chat", 3)
    assert one.base_url == "https://api.groq.example/openai/v1"
    assert dict(own.headers) == {"x-team": "blue"}
    assert (other.kind, other.base_url) == ("api_key", None)


@pytest.mark.parametrize(
    ("own", "base_url", "spoken"),
    [
        ({"format": "anthropic"}, "https://x.example/anthropic", "anthropic"),
        ({"format": "openai-chat"}, "https://x.example/v1", "openai-chat"),
        ({}, "https://x.example/v1", "openai-chat"),
        ({"base_url": "https://mine.example"}, "https://mine.example", None),
    ],
)
def test_of_several_addresses_an_account_takes_that_of_its_format(own, base_url, spoken):
    urls = {"openai-chat": "https://x.example/v1", "anthropic": "https://x.example/anthropic"}
    found = inherited({"name": "a", "provider": "p", **own}, {"p": {"base_urls": urls}})
    assert (found["base_url"], found.get("format")) == (base_url, spoken)


def test_what_is_wrong_in_a_section_is_named_at_its_own_line():
    with pytest.raises(ConfigError) as caught:
        parse('[providers.x]\nbase_url = "ftp://x"\nslotz = 1\n', HERE)
    assert [p.line for p in caught.value.problems] == [2, 3]


def test_an_account_that_inherits_a_plain_http_address_is_told():
    with pytest.raises(ConfigError) as caught:
        parse(
            '[providers.x]\nbase_url = "http://far.example"\n[[accounts]]\nname = "a"\nprovider = "x"\n',
            HERE,
        )
    assert "unencrypted" in caught.value.problems[0].message


@pytest.mark.parametrize("data", [{}, {"providers": 1}, {"providers": {}, "accounts": 1}])
def test_what_has_another_form_is_left_for_the_checks(data):
    assert with_shared(data) == data


def test_a_catalogue_is_a_url_or_a_file_beside_the_config():
    text = '[providers.x]\ncatalogue = "file:m.json"\n'
    assert parse(text, HERE).providers["x"].catalogue == "file:/etc/maxpool/m.json"
    for wrong in ("m.json", "file:", "ftp://x/m.json", "https://me:pw@x.example/m.json"):
        with pytest.raises(ConfigError):
            parse(f'[providers.x]\ncatalogue = "{wrong}"\n', HERE)


def test_every_shared_key_is_one_of_an_account_and_of_the_section():
    assert set(SHARED) <= {*AccountConfig.model_fields, "tiers"}
    shared = {name for name in ProviderConfig.model_fields if name in SHARED}
    assert shared == set(SHARED) & set(ProviderConfig.model_fields)


def test_focus_holds_five_models_at_most():
    names = ", ".join(f'"m{n}"' for n in range(6))
    with pytest.raises(ConfigError):
        parse(f"[prewarm]\nfocus = [{names}]\n", HERE)
