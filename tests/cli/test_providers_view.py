from typing import Any

from maxpool.cli.providers_view import listed, spoken_json, spoken_lines, warmth_lines
from maxpool.cli.tables import Table, plain
from maxpool.service.discovery import Discovery, Spoken

OFF: dict[str, Any] = {"mode": "off", "entries": [], "quiet": False, "interval_s": None}


def provider(**given: Any) -> dict[str, Any]:
    return {
        "provider": "groq",
        "name": "g",
        "format": "openai-chat",
        "state": "ready",
        "unavailable": None,
        "warmth": None,
        "base_url": "https://api.groq.example/openai/v1",
        "windows": [],
        "buckets": [],
        "limits": [],
        "balance": {},
        **given,
    }


def row(**given: Any) -> str:
    parts = listed({"providers": [provider(**given)], "warmth": OFF, "now": 0.0})
    return next(plain(part)[1] for part in parts if isinstance(part, Table))


def test_speed_success_and_place_are_shown():
    shown = row(latency={"p95_s": 1.26, "success": 0.95}, warmth="warm")
    for word in ("warm", "1.3 s", "95 %", "api.groq.example/openai/v1"):
        assert word in shown


def test_what_is_left_is_money_before_shares():
    assert "3.25 USD" in row(balance={"balance_usd": 3.25}, windows=[{"estimated": 0.4}])
    assert "60 %" in row(windows=[{"estimated": 0.4}, {"estimated": None}])
    assert "10 %" in row(limits=[{"used": 9.0, "limit": 10.0}])
    assert "25 %" in row(buckets=[{"limit": 100, "remaining": 25}])


def test_a_cooling_account_says_for_how_long():
    assert "cooling 30 s" in row(state="cooling", unavailable={"until": 30.0})


def test_targets_are_shown_with_state_age_and_failures():
    entry = {
        "account": "g",
        "model": "m",
        "state": "failed",
        "age_s": None,
        "latency_ms": 12.4,
        "failures": 3,
        "detail": "it answered HTTP 503",
    }
    warmth = {"mode": "balanced", "interval_s": 30.0, "quiet": True, "entries": [entry]}
    parts = warmth_lines(warmth)
    assert "a word is spent" in str(parts[0])
    assert "quiet" in str(parts[0])
    shown = next(plain(part)[1] for part in parts if isinstance(part, Table))
    assert shown.split()[:3] == ["g", "m", "failed"]
    assert "it answered HTTP 503" in shown


def test_what_a_service_speaks_is_told_line_by_line():
    chat = Spoken(
        format="openai-chat",
        url="http://x/v1/chat/completions",
        taken=True,
        models=tuple("abcdefghij"),
    )
    other = Spoken(format="generate", url="http://x/api/generate", taken=None, status=500)
    lines = spoken_lines(Discovery(base_url="http://x/v1", spoken=(chat, other)), "openai-chat")
    assert "openai-chat  yes" in lines[1]
    assert lines[1].endswith("<- used")
    assert "(HTTP 500)" in lines[2]
    assert lines[3].endswith("a, b, c, d, e, f, g, h, and 2 more")
    assert spoken_json(Discovery(base_url="b", spoken=(chat,)), "openai-chat")["formats"] == {
        "openai-chat": True
    }


def test_who_has_no_account_is_told_how_to_add_one():
    assert "maxpool login" in str(listed({"providers": [], "warmth": OFF, "now": 0.0})[0])
