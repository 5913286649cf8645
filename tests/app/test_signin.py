"""Against the simulated provider over loopback; an HTTP client plays the browser."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.adapters.clock import SystemClock
from maxpool.adapters.oauth import HttpTokenEndpoint
from maxpool.adapters.upstream import HttpUpstream
from maxpool.app.signin import Ways, sign_in
from maxpool.config.load import load
from maxpool.errors import MaxpoolError
from maxpool.ports import TokenPair
from maxpool.sim.faults import StatusFault
from maxpool.sim.problems import Problem
from tests.logins import Browser, as_person, pasted, sent_back, visit, world
from tests.rig import plan

if TYPE_CHECKING:
    from maxpool.sim.requests import SimRequest
    from tests.claims.test_operations import Place


@dataclass
class Signing:
    """One provider, one person, and how the answer comes back."""

    place: Place
    upstream: HttpUpstream
    browser: Browser

    async def sign_in(self, **ways: Any) -> TokenPair:
        config = load(self.place.config).config
        profile = config.oauth["demo"].model_copy(update=ways.pop("profile", {}))
        endpoint = HttpTokenEndpoint(profile=profile, upstream=self.upstream)
        return await sign_in(
            profile, endpoint, SystemClock(), self.browser, Ways(**{"browser": False, **ways})
        )


@asynccontextmanager
async def signing(tmp_path, monkeypatch, person=None):
    upstream = HttpUpstream()
    async with world(tmp_path, monkeypatch, plan("juniper")) as one:
        yield Signing(one, upstream, Browser(person))
    await upstream.aclose()


async def test_the_browser_brings_the_code_back(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch, "juniper") as it:
        pair = await it.sign_in()
        assert pair.refresh_token is not None
        status, page = await it.browser.pages[0]
        assert (status, "Almost done" in page) == (200, True)
        attempt = await it.browser.attempts.get()
        assert attempt.redirect_uri.startswith("http://localhost:")
        assert attempt.verifier.reveal() not in attempt.url
        with pytest.raises(OSError, match="refused"):  # it does not outlive the sign-in
            await visit(await sent_back(attempt.url, "juniper"))


async def test_a_callback_of_another_sign_in_changes_nothing(tmp_path, monkeypatch):  # T10
    async with signing(tmp_path, monkeypatch) as it:
        running = asyncio.ensure_future(it.sign_in())
        attempt = await it.browser.attempts.get()
        forged = f"{attempt.redirect_uri}?code=stolen&state=guessed"
        status, page = await it.browser.open(forged)
        assert (status, "another sign-in" in page) == (400, True)
        await it.browser.open(as_person(attempt.url, "juniper"))
        assert isinstance(await running, TokenPair)


async def test_only_the_first_callback_counts(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch) as it:
        running = asyncio.ensure_future(it.sign_in())
        attempt = await it.browser.attempts.get()
        back = await sent_back(attempt.url, "juniper")
        twice = [it.browser.open(back), it.browser.open(back)]
        await asyncio.wait(twice)
        seen = [one.result() for one in twice if one.exception() is None]
        assert [status for status, _ in seen].count(200) == 1
        assert isinstance(await running, TokenPair)
        assert len([r for r in it.place.sim.requests if r.path == "/v1/oauth/token"]) == 1


async def test_nobody_signing_in_ends_it_in_time(tmp_path, monkeypatch):  # T10
    async with signing(tmp_path, monkeypatch) as it:
        with pytest.raises(MaxpoolError, match=r"nobody signed in within 0\.05 s") as caught:
            await it.sign_in(timeout_s=0.05)
        assert "--timeout" in caught.value.hint
        late = await sent_back((await it.browser.attempts.get()).url, "juniper")
        with pytest.raises(OSError, match="refused"):
            await visit(late)


async def test_a_pasted_code_is_asked_for_until_it_is_this_sign_ins(tmp_path, monkeypatch):  # T10
    async with signing(tmp_path, monkeypatch) as it:
        answers = iter(["nonsense", "code#guessed"])

        async def ask() -> str:
            given = next(answers, None)
            return given or await pasted((await it.browser.attempts.get()).url, "juniper")

        assert isinstance(await it.sign_in(ask=ask), TokenPair)
        assert len(it.browser.objections) == 2


async def test_the_whole_address_of_a_page_that_did_not_open_is_an_answer(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch) as it:

        async def ask() -> str:
            return await sent_back((await it.browser.attempts.get()).url, "juniper")

        assert isinstance(await it.sign_in(ask=ask), TokenPair)


async def test_a_paste_profile_needs_no_callback(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch) as it:
        page = f"{it.place.upstream_url}/oauth/code/callback"

        async def ask() -> str:
            attempt = await it.browser.attempts.get()
            assert attempt.redirect_uri == page
            return await pasted(attempt.url, "juniper")

        profile = {"redirect": "paste", "redirect_url": page}
        assert isinstance(await it.sign_in(ask=ask, profile=profile), TokenPair)


async def test_the_callback_wins_while_a_person_is_asked(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch, "juniper") as it:
        taken_back = asyncio.Event()

        async def ask() -> str:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                taken_back.set()
            raise AssertionError

        assert isinstance(await it.sign_in(ask=ask), TokenPair)
        assert taken_back.is_set()


async def test_a_person_who_stops_typing_may_still_use_the_browser(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch, "juniper") as it:

        async def ask() -> None:
            return None

        assert isinstance(await it.sign_in(ask=ask), TokenPair)


async def test_a_pipe_is_asked_once(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch) as it:
        for text, why in (("nonsense", "not whole"), (None, "ended without a code")):

            async def ask(text: str | None = text) -> str | None:
                return text

            with pytest.raises(MaxpoolError, match=why):
                await it.sign_in(ask=ask, once=True)


async def test_another_programs_credentials_are_refused_in_place_of_a_code(
    tmp_path, monkeypatch
):  # T11
    async with signing(tmp_path, monkeypatch) as it:

        async def ask() -> str:
            return '{"claudeAiOauth": {"refreshToken": "sk-ant-ort01-x"}}'

        with pytest.raises(MaxpoolError, match="another program") as caught:
            await it.sign_in(ask=ask)
        assert "setup-token" in caught.value.hint


async def test_a_declined_sign_in_says_so_here_and_in_the_browser(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch) as it:
        running = asyncio.ensure_future(it.sign_in())
        attempt = await it.browser.attempts.get()
        back = f"{attempt.redirect_uri}?error=access_denied&state={attempt.state}"
        status, page = await it.browser.open(back)
        assert (status, "declined" in page) == (400, True)
        with pytest.raises(MaxpoolError, match="declined"):
            await running


async def test_a_registered_redirect_address_is_used_as_it_is(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch, "juniper") as it:
        await it.sign_in(profile={"redirect_url": "http://127.0.0.1/signed/in"})
        attempt = await it.browser.attempts.get()
        assert attempt.redirect_uri.startswith("http://127.0.0.1:")
        assert attempt.redirect_uri.endswith("/signed/in")
        with pytest.raises(MaxpoolError, match="not on this machine"):
            await it.sign_in(profile={"redirect_url": "https://elsewhere.example/in"})


async def test_a_busy_token_endpoint_is_asked_again_a_refusing_one_is_not(tmp_path, monkeypatch):
    async with signing(tmp_path, monkeypatch, "juniper") as it:

        def at_tokens(seen: SimRequest) -> bool:
            return seen.path == "/v1/oauth/token"

        busy = StatusFault(problem=Problem(status=503, kind="overloaded_error", message="busy"))
        it.place.sim.inject(busy, when=at_tokens)
        assert isinstance(await it.sign_in(), TokenPair)
        with pytest.raises(MaxpoolError, match="refused the code"):
            await it.sign_in(profile={"client_id": "maxpool-demo", "token_body": "form"})
