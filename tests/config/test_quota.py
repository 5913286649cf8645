"""An account's quota page in the config."""

from pathlib import Path

import pytest

from maxpool.app.probing import quota_pages
from maxpool.config.load import parse
from maxpool.config.model import Config
from maxpool.errors import ConfigError

ACCOUNT = (
    "[[accounts]]\nname = 'a'\nid = 'a'\nsecret = 'env:A'\nbase_url = 'https://x.example/api'\n"
)
URL = "quota_url = 'https://x.example/balance'\n"


def config(more: str) -> Config:
    return parse(ACCOUNT + more, Path("/c.toml"))


def test_a_page_is_asked_as_its_owner_says():
    page = quota_pages(
        config(
            f"{URL}quota_map = {{ remaining = 'data.left cents' }}\nquota_method = 'POST'\n"
            "quota_every = '2min'\nquota_enforce = 'observe'\n"
        )
    )["a"]
    assert (page.url, page.method, page.every_s, page.gates) == (
        "https://x.example/balance",
        "POST",
        120.0,
        False,
    )
    assert page.quota_map == {"remaining": "data.left cents"}


def test_without_probes_nobody_is_asked():
    asked = config(f"{URL}quota_map = {{ used = 'u' }}\n[probes]\nenabled = false\n")
    assert quota_pages(asked) == {}


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "quota_url = 'https://y.example/q'\nquota_map = { used = 'u' }",
            "must be at the account's own origin: its credential goes nowhere else",
        ),
        (URL, "needs quota_map, which says where in the answer the quota stands"),
        (f"{URL}quota_map = {{ reset = 't' }}", "needs quota_map"),
        ("quota_map = { used = 'u' }", "needs quota_url beside it"),
        (f"{URL}quota_map = {{ left = 'u' }}", "left is none of used, limit, remaining"),
        (f"{URL}quota_map = {{ used = 'a b c' }}", "used must be one of these kinds"),
        (f"{URL}quota_map = {{ used = 'a..b' }}", "used must be a path"),
        (f"{URL}quota_map = {{ reset = 'a cents' }}", "reset must be one of these kinds"),
    ],
)
def test_what_cannot_be_asked_is_told(more, problem):
    with pytest.raises(ConfigError) as caught:
        config(more)
    assert problem in caught.value.problems[0].message
