from __future__ import annotations

import pytest

from maxpool.errors import MaxpoolError
from maxpool.ports import Secret
from maxpool.service.pasted import MAX_SECRET, refuse_foreign, secret

TOKEN = "sk-ant-oat01-" + "t" * 80
KEY = "sk-ant-api03-" + "k" * 80


def test_a_secret_is_taken_without_the_blanks_of_its_paste():
    assert secret(f" {TOKEN[:40]}\n   {TOKEN[40:]}\n", "subscription") == Secret(TOKEN)
    assert secret(f"{KEY}\r\n", "api_key") == Secret(KEY)
    assert secret("any-text", "provider") == Secret("any-text")


@pytest.mark.parametrize(
    ("text", "kind", "says", "hint"),
    [
        (KEY, "subscription", "API key", "--api-key"),
        (TOKEN, "api_key", "subscription's token", "leave the option out"),
        (TOKEN, "provider", "subscription's token", "leave the option out"),
        ("something", "subscription", "no token of claude setup-token", "--api-key"),
        (TOKEN[:30], "subscription", "not whole", "whole token"),
        ("", "api_key", "nothing", "Paste"),
        (" \n", "api_key", "nothing", "Paste"),
        ("kéy", "api_key", "characters", "anew"),
        ("x" * (MAX_SECRET + 1), "api_key", "longer", "alone"),
    ],
)
def test_what_is_pasted_in_the_wrong_place_is_named_and_sent_to_the_right_one(
    text, kind, says, hint
):
    with pytest.raises(MaxpoolError) as caught:
        secret(text, kind)
    assert says in caught.value.message
    assert hint in caught.value.hint
    shown = caught.value.message + caught.value.hint
    assert not text.strip() or text.strip() not in shown or text == "something"


@pytest.mark.parametrize(
    "text",
    [
        '{"claudeAiOauth": {"accessToken": "sk-ant-oat01-x"}}',
        '\n [{"token": 1}]',
        "sk-ant-ort01-" + "r" * 80,
        "~/.claude/.credentials.json",
        "'/home/me/.codex/auth.json'",
        "./credentials",
    ],
)
def test_another_programs_login_is_never_taken_over(text):  # T11
    for kind in ("subscription", "api_key", "provider"):
        with pytest.raises(MaxpoolError) as caught:
            secret(text, kind)
        assert "claude setup-token" in caught.value.hint


def test_a_code_or_an_address_is_no_foreign_login():
    refuse_foreign("code#state")
    refuse_foreign("http://localhost:1/callback?code=a&state=b")
