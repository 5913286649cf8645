"""The plain status page: escaped, without scripts, readable when empty."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from maxpool import QuotaExceeded
from maxpool.service.stats import Stats
from maxpool.web.page import STYLE, render
from maxpool.web.report import document
from tests.make import HOUR, NOW, account, ask, key, lease, pool, unified
from tests.web.test_report import FACTS

EVIL = '<script>alert("x")</script>'


def page(p, facts=FACTS):
    return render(document(p.view(NOW), Stats(), facts))


def test_whatever_came_from_outside_is_escaped():
    p = pool(account("a", name=EVIL))
    lease(p, session=EVIL)
    html = page(p, replace(FACTS, notices=(EVIL,)))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 3


def test_the_page_needs_no_script_and_no_inline_style():
    p = pool("a")
    p.observe("a", unified(five=0.5, seven=0.9), NOW)
    html = page(p)
    assert not re.search(r"<script|style=|javascript:|onclick|https?://(?!www\.w3)", html)


def test_bars_say_their_value_to_a_screen_reader():
    p = pool("a")
    p.observe("a", unified(five=0.5, seven=0.9), NOW)
    assert 'aria-label="5h 50 % used"' in page(p)


def test_a_benched_account_says_why_and_until_when():
    p = pool("a")
    p.release(lease(p), QuotaExceeded("5h", NOW + HOUR), NOW)
    assert "quota, back in 1 h" in page(p)


def test_waiters_and_key_limits_are_shown():
    p = pool(account("a", slots=1), key("k", serves=frozenset({"nobody"})))
    p.observe(
        "k",
        {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "7"},
        NOW,
    )
    lease(p)
    p.acquire(ask(), NOW)
    html = page(p)
    assert "slots full" in html
    assert "requests 7 of 50" in html


def test_an_empty_pool_shows_how_to_add_an_account():
    assert "[[accounts]]" in page(pool())


@pytest.mark.parametrize("name", ["verdict", "card", "window", "state", "facts", "why"])
def test_the_style_knows_the_pages_classes(name):
    assert f".{name}" in STYLE
