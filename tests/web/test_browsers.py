"""Signing in from a browser: a cookie for the key, good for this server only, and for its own pages."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest

from maxpool.adapters.clock import SystemClock
from maxpool.web.browsers import MAX_ENDED, SIGNED_IN_S, Browsers
from tests.rig import ADMIN_KEY, JSON, key, rig


class Clock(SystemClock):
    def __init__(self, now=1000.0):
        self.at = now

    def now(self):
        return self.at


def browsers(secret="digest", now=1000.0):
    ids = iter(range(1000))
    return Browsers(secret, Clock(now), lambda: f"id{next(ids)}")


async def signed_in(it):
    """The cookie and the word of a browser that has signed in."""
    got = await it.admin("POST", "/login")
    cookie = SimpleCookie(got.fields["set-cookie"])
    ((name, morsel),) = cookie.items()
    return got, {"cookie": f"other=1; {name}={morsel.value}"}, {"x-maxpool-csrf": got.json["csrf"]}


def test_a_cookie_holds_for_its_time_and_for_its_key_only():
    one = browsers()
    cookie, seconds = one.cookie()
    assert (one.holds(cookie), seconds) == (True, SIGNED_IN_S)
    assert not browsers("another").holds(cookie)
    one.clock.at += SIGNED_IN_S + 1
    assert not one.holds(cookie)


def test_a_restart_ends_nothing():
    cookie, _ = browsers().cookie()
    assert browsers().holds(cookie)


@pytest.mark.parametrize(
    "shown", ["", "x", "..", "9999999999.id.", "9999999999.id0.\udcff", "9" * 300]
)
def test_what_was_made_up_holds_nothing(shown):
    assert not browsers().holds(shown)


def test_a_cookie_cannot_be_made_to_hold_longer():
    one = browsers()
    until, name, signature = one.cookie()[0].split(".")
    assert not one.holds(f"{int(until) + 1}.{name}.{signature}")


def test_without_an_admin_key_nothing_holds():
    cookie, _ = browsers("").cookie()
    assert not browsers("").holds(cookie)


def test_who_signed_out_is_remembered_within_bounds():
    one = browsers()
    cookies = [one.cookie()[0] for _ in range(MAX_ENDED + 5)]
    for cookie in cookies:
        one.end(cookie)
    assert not one.holds(cookies[-1])
    assert len(one.ended) == MAX_ENDED


async def test_the_key_signs_a_browser_in():  # X3
    async with rig(key("a")) as it:
        got, cookie, _ = await signed_in(it)
        told = got.fields["set-cookie"].lower()
        assert "httponly" in told
        assert "samesite=strict" in told
        assert ADMIN_KEY not in told
        assert (await it.get("/admin/accounts", cookie)).status == 200
        assert (await it.send("POST", "/admin/login", JSON, b"{}")).status == 401


async def test_an_action_needs_the_pages_own_word_besides():  # X1, X3
    async with rig(key("a")) as it:
        _, cookie, word = await signed_in(it)
        paths = "/admin/pause"
        assert (await it.send("POST", paths, JSON | cookie, b"{}")).status == 401
        wrong = {"x-maxpool-csrf": "0" * 64}
        assert (await it.send("POST", paths, JSON | cookie | wrong, b"{}")).status == 401
        assert (await it.send("POST", paths, JSON | cookie | word, b"{}")).status == 200
        assert it.proxy.pool.paused


async def test_after_signing_out_the_cookie_opens_nothing():
    async with rig(key("a")) as it:
        _, cookie, word = await signed_in(it)
        got = await it.send("POST", "/admin/logout", JSON | cookie | word, b"{}")
        assert got.status == 200
        assert (await it.get("/admin/accounts", cookie)).status == 401


async def test_a_page_of_another_site_gains_nothing_from_it():  # X1
    async with rig(key("a")) as it:
        _, cookie, word = await signed_in(it)
        evil = {"origin": "http://evil.example"}
        assert (
            await it.send("POST", "/admin/pause", JSON | cookie | word | evil, b"{}")
        ).status == 403


async def test_where_keys_are_required_a_signed_in_browser_may_look_and_not_spend():  # X2
    keys = [{"name": "laptop", "key": "env:a"}]
    async with rig(key("a"), server={"require_key": True}, client_keys=keys) as it:
        _, cookie, word = await signed_in(it)
        assert (await it.get("/status", cookie)).status == 200
        assert (await it.get("/status")).status == 401
        assert (await it.post(headers=cookie | word)).status == 401
        assert (await it.get("/v1/models", cookie)).status == 401


async def test_the_cookie_never_goes_upstream():
    async with rig(key("a")) as it:
        _, cookie, _ = await signed_in(it)
        await it.post(headers=cookie)
        assert b"cookie" not in {n.lower() for n, _ in it.sim.requests[-1].headers}
