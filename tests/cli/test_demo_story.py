"""The demo's scenario in words, from one picture of the pool to the next."""

from __future__ import annotations

from maxpool.cli.demo_story import Story
from tests.cli.stub import NOW, account, picture


def shown(state: str, answered: int):
    """A plan in that state beside another vendor that has answered so many requests."""
    block = None if state == "ready" else {"reason": state, "until": NOW}
    plan = account("juniper", state, unavailable=block)
    other = account("harbour", kind="provider", total={"requests": answered})
    return picture(plan, other)


def test_each_turn_of_the_story_is_told_once():
    story = Story()
    pictures = [("ready", 0), ("ready", 0), ("quota", 0), ("quota", 9), ("ready", 9), ("quota", 9)]
    told = [story.after(shown(*one)) for one in pictures]
    assert [line is not None for line in told] == [True, False, True, False, True, True]
    assert told[0] == ">> The Claude accounts serve: juniper."
    assert "used up until" in (told[2] or "")
    assert "harbour takes over" in (told[2] or "")
    assert "juniper serve again. harbour answered 9 requests meanwhile" in (told[4] or "")


def test_a_pause_for_another_reason_is_no_turn_of_the_story():
    story = Story()
    assert story.after(shown("ready", 0)) is not None
    assert [story.after(shown(state, 5)) for state in ("provisional", "ready")] == [None, None]


def test_an_end_that_nobody_knows_is_not_made_up():
    plan = account("juniper", "quota", unavailable={"reason": "quota", "until": None})
    other = account("harbour", kind="provider", total={"requests": 0})
    assert "used up: harbour" in (Story().after(picture(plan, other)) or "")
