from typing import Any

from maxpool.cli.models_view import listed, shown
from maxpool.cli.tables import Table, plain


def line(name: str, **given: Any) -> dict[str, Any]:
    return {
        "account": name,
        "provider": "p",
        "sent_as": "m",
        "clients": ["claude-code", "others"],
        "ready": True,
        "reason": None,
        "until": None,
        **given,
    }


def one(*lines: dict[str, Any], **given: Any) -> dict[str, Any]:
    ready = sum(one["ready"] for one in lines)
    until = [one["until"] for one in lines if one["until"]]
    found = {"model": "m", "clients": ["others"], "ready": ready, "accounts": list(lines)}
    return {**found, "next_at": min(until, default=None), "now": 100.0, **given}


def rows(parts: list[str | Table]) -> list[str]:
    return next(plain(part) for part in parts if isinstance(part, Table))


def test_the_list_says_who_is_ready_and_when_others_are_back():
    back = one(line("a", ready=False, reason="cooldown", until=160.0))
    many = one(*(line(n) for n in "abcde"))
    locked = one(line("a", ready=False, reason="locked_out"))
    found = rows(listed({"models": [back, many, locked], "named": 3, "now": 100.0}))
    assert "in 60 s" in found[1] or "in 1 min" in found[1]
    assert "5 of 5" in found[2]
    assert "a, b, c and 2 more" in found[2]
    assert "locked out" in found[3]


def test_another_name_upstream_is_shown():
    found = rows(listed({"models": [one(line("a", sent_as="big"))], "named": 1, "now": 0.0}))
    assert "a (big)" in found[1]


def test_what_is_not_shown_is_counted():
    parts = listed({"models": [one(line("a"))], "named": 700, "now": 0.0})
    assert "699 more are not shown; each can be asked about by name." in parts


def test_one_model_names_its_accounts_and_reasons():
    waiting = line("b", ready=False, reason="quota", until=3700.0)
    parts = shown(one(line("a"), waiting))
    assert parts[0] == "m is served by 1 of 2 accounts now, for others."
    assert "quota, for 1 h" in rows(parts)[2]


def test_an_alias_says_what_it_stands_for_and_a_name_of_its_own_does_not():
    assert "It stands for: a/x, b/y." in shown(one(line("a"), stands_for=["a/x", "b/y"]))
    assert not [part for part in shown(one(line("a"), stands_for=["m"])) if "stands" in str(part)]


def test_nobody_is_said_in_words():
    assert "No account offers m" in str(shown(one())[0])
    assert "No account offers a model" in str(listed({"models": [], "named": 0, "now": 0.0})[0])
