from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from maxpool.cli.top_app import Top
from maxpool.errors import MaxpoolError
from tests.cli.stub import NOW, account, picture
from tests.cli.test_top_board import hello, request


class Quiet:
    """A feed that tells what the test tells."""

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass


class Wishes:
    """What keys asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def account(self, action, account_id):
        self.asked.append((action, account_id))
        if action == "probe":
            raise MaxpoolError("the provider does not answer", "Try again later")
        return f"{action} done"

    def pool(self, action):
        self.asked.append((action,))
        return f"{action} done"


def text(app):
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(part.text for part in strip).rstrip() for strip in strips)


@asynccontextmanager
async def shown(*accounts, size=(80, 24), **keys):
    hands = Wishes()
    app = Top(lambda _tell: Quiet(), hands)
    async with app.run_test(size=size, notifications=True) as pilot:
        app.hear("hello", hello(*accounts, **keys))
        await until(pilot, app, "▶" if accounts else "REQUESTS")
        yield app, pilot, hands


async def until(pilot, app, words):
    async with asyncio.timeout(30):
        while words not in text(app):
            await pilot.pause(0.02)


@pytest.mark.parametrize("size", [(44, 20), (80, 24), (160, 50)])
async def test_verdict_accounts_requests_and_keys_are_on_one_screen(size):
    async with shown(account("a"), account("b"), size=size, requests=[request(1)]) as (app, _, _):
        seen = text(app)
    for said in ("2 of 2 accounts ready", "● ready", "57 %", "REQUESTS", "enter details"):
        assert said in seen


async def test_news_is_drawn_without_a_key():
    async with shown(account("a")) as (app, pilot, _):
        app.hear("account", account("a", "cooling"))
        app.hear("request", request(1, model="a-new-model", account="a-a", status=200))
        await until(pilot, app, "◌ cooling")
        await until(pilot, app, "a-new-model")


async def test_a_lost_server_is_said_until_it_is_back():
    async with shown(account("a")) as (app, pilot, _):
        app.hear("gone", "the connection to the server was lost")
        await until(pilot, app, "No answer: the connection")
        app.hear("hello", hello(account("a")))
        await until(pilot, app, "3 in flight")
        assert "No answer" not in text(app)


async def test_keys_act_on_the_chosen_account_and_say_what_came_of_it():
    async with shown(account("a"), account("b")) as (app, pilot, hands):
        await pilot.press("down", "d")
        await until(pilot, app, "disable done")
        await pilot.press("p")
        await until(pilot, app, "does not answer. Try")
        await pilot.press("e", "r", "f", "P")
        await until(pilot, app, "pause done")
    acts = ["disable", "probe", "enable", "reset", "prefer"]
    assert sorted(hands.asked) == sorted([*((a, "a-b") for a in acts), ("pause",)])


async def test_pause_and_prefer_are_ended_by_the_same_key():
    async with shown(account("a")) as (app, pilot, hands):
        app.hear("summary", {"summary": {"paused": True, "preferred": "a-a"}})
        await pilot.press("P", "f")
        await until(pilot, app, "automatic done")
        await until(pilot, app, "resume done")
    assert sorted(hands.asked) == [("automatic",), ("resume",)]


async def test_enter_shows_the_account_and_escape_leads_back():
    async with shown(account("a"), account("b", plan="max_5x")) as (app, pilot, hands):
        await pilot.press("down", "enter")
        await until(pilot, app, "max_5x")
        await pilot.press("d")
        await pilot.press("escape")
        await until(pilot, app, "REQUESTS")
    assert hands.asked == [("disable", "a-b")]


async def test_the_filter_holds_while_it_is_typed_and_escape_ends_it():
    async with shown(account("work"), account("home")) as (app, pilot, hands):
        await pilot.press("slash", *"wor")
        await until(pilot, app, "filter: wor")
        assert "home " not in text(app)
        await pilot.press("enter", "e")
        assert hands.asked == [("enable", "a-work")]
        await pilot.press("escape")
        await until(pilot, app, "home ")


async def test_tab_turns_through_the_lists_and_s_through_the_orders():
    async with shown(account("b"), account("a")) as (app, pilot, _):
        await pilot.press("tab")
        await until(pilot, app, "No session is bound")
        await pilot.press("tab")
        await until(pilot, app, "Nobody waits")
        await pilot.press("s")
        await until(pilot, app, "sorted by name")
        names = [line[1] for line in text(app).splitlines() if "● ready" in line]
        assert names == ["a", "b"]


async def test_a_change_elsewhere_leaves_the_choice_where_it_is():
    async with shown(account("a"), account("b")) as (app, pilot, _):
        await pilot.press("down")
        app.hear("hello", hello(account("c"), account("a"), account("b")))
        await until(pilot, app, "3 of 3")
        assert app.chosen == "a-b"


async def test_the_screen_needs_no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with shown(account("a")) as (app, _, _):
        assert app.no_color
        assert "● ready" in text(app)


async def test_help_names_the_keys():
    async with shown() as (app, pilot, _):
        await pilot.press("question_mark")
        await until(pilot, app, "forget benches")
        await pilot.press("escape")
        await until(pilot, app, "REQUESTS")


async def test_a_status_document_is_shown_where_there_is_no_feed():
    async with shown() as (app, pilot, _):
        app.hear("status", {**picture(account("a")), "now": NOW})
        await until(pilot, app, "no requests live")
