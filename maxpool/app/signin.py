"""An OAuth sign-in, driven: browser, loopback callback, pasted code, then the token endpoint.

`service/login` judges the answers. Nothing is stored here and nothing of the config is changed.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from maxpool.adapters.browser import open_browser
from maxpool.adapters.callback import PATH, Page, listening
from maxpool.adapters.oauth import authorization_url, new_state, new_verifier
from maxpool.config.fields import is_loopback
from maxpool.errors import MaxpoolError
from maxpool.ports import Ambiguous, Rejected, Retryable, Secret, TokenPair
from maxpool.service import login, pasted
from maxpool.service.login import Attempt, Code, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from maxpool.config.oauth import OAuthProfileConfig
    from maxpool.ports import Clock, TokenEndpoint, TokenResult

EXCHANGE_PAUSES_S = (0.0, 1.0, 3.0)
"""Before each try of the exchange; tried again only when surely nothing was processed."""


class Person(Protocol):
    """The person at the terminal, as far as a sign-in needs one."""

    def show(self, attempt: Attempt, *, opened: bool) -> None:
        """Say where to sign in, and whether a browser shows it already."""
        ...

    def object(self, text: str) -> None:
        """Say what is wrong with what was pasted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How the answer may come back. `ask` asks for a pasted code; None at the end of input.

    `once`: what `ask` gives is all there is (a pipe), so a wrong answer is not asked for again.
    """

    browser: bool = True
    ask: Callable[[], Awaitable[str | None]] | None = None
    once: bool = False
    timeout_s: float = 300.0


async def sign_in(
    profile: OAuthProfileConfig,
    endpoint: TokenEndpoint,
    clock: Clock,
    person: Person,
    ways: Ways,
) -> TokenPair:
    """A fresh pair of tokens; raises MaxpoolError when the sign-in comes to nothing."""
    try:
        async with asyncio.timeout(ways.timeout_s):
            attempt, code = await _code(profile, person, ways)
    except TimeoutError:
        minutes, rest_s = divmod(ways.timeout_s, 60)
        within = f"{ways.timeout_s:g} s" if rest_s else f"{minutes:g} min"
        raise MaxpoolError(
            f"nobody signed in within {within}", "Run it again; --timeout 15m waits longer"
        ) from None
    return await _exchanged(endpoint, clock, attempt, code)


async def _code(profile: OAuthProfileConfig, person: Person, ways: Ways) -> tuple[Attempt, Code]:
    """Begin, and wait for the first answer that counts."""
    desk = _Desk(asyncio.get_running_loop().create_future())
    async with AsyncExitStack() as stack:
        if profile.redirect == "paste":
            redirect_uri = profile.redirect_url or ""
        else:
            port, path = _wanted_port(profile)
            port = await stack.enter_async_context(listening(desk.judge, port=port, path=path))
            redirect_uri = _redirect_uri(profile, port)
        verifier, state = new_verifier(), new_state()
        attempt = desk.attempt = Attempt(
            url=authorization_url(profile, redirect_uri, verifier, state),
            redirect_uri=redirect_uri,
            state=state,
            verifier=Secret(verifier),
        )
        opened = ways.browser and await asyncio.to_thread(open_browser, attempt.url)
        person.show(attempt, opened=opened)
        found = await _first(desk, _asking(attempt, person, ways))
    if isinstance(found, Problem):
        raise MaxpoolError(found.text, "Run it again to sign in")
    return attempt, found


@dataclass(slots=True)
class _Desk:
    """Where the callback's answers arrive; the first that counts is the only one."""

    answered: asyncio.Future[Code | Problem]
    attempt: Attempt | None = None

    def judge(self, query: str) -> Page:
        if self.attempt is None or self.answered.done():
            return Page(status=400, title="Over", text="This sign-in is over already.")
        found = login.returned(self.attempt, query)
        if isinstance(found, Problem) and not found.final:
            return Page(status=400, title="Not this sign-in", text=f"Sorry: {found.text}.")
        self.answered.set_result(found)
        if isinstance(found, Problem):
            return Page(status=400, title="Not signed in", text=f"Sorry: {found.text}.")
        return Page(
            title="Almost done", text="The rest happens in the terminal. You can close this page."
        )


async def _first(desk: _Desk, asking: Awaitable[Code | Problem | None]) -> Code | Problem:
    """Whichever comes first: the browser, or what a person pastes."""
    question = asyncio.ensure_future(asking)
    try:
        either: list[asyncio.Future[Any]] = [question, desk.answered]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if question.done() and not desk.answered.done():
            found = question.result()
            if found is not None:
                return found
        return await desk.answered
    finally:
        question.cancel()
        with suppress(asyncio.CancelledError, MaxpoolError):
            await question  # until the terminal is as it was


async def _asking(attempt: Attempt, person: Person, ways: Ways) -> Code | Problem | None:
    """What a person pastes, asked for until it counts; None when nobody can be asked any more."""
    while ways.ask is not None:
        text = await ways.ask()
        if text is None:
            return Problem("the input ended without a code") if ways.once else None
        pasted.refuse_foreign(text)
        found = login.answer(attempt, text)
        if isinstance(found, Code) or found.final or ways.once:
            return found
        person.object(found.text)
    return None


def _wanted_port(profile: OAuthProfileConfig) -> tuple[int, str]:
    """Port (0: any free one) and path of the callback: those registered with the provider, if any."""
    if profile.redirect_url is None:
        return 0, PATH
    parts = urlsplit(profile.redirect_url)
    if not is_loopback(parts.hostname or ""):
        raise MaxpoolError(
            "the profile's redirect_url is not on this machine, so no answer would arrive here",
            'Set redirect = "paste" for it, or leave redirect_url out',
        )
    return parts.port or 0, parts.path or "/"


def _redirect_uri(profile: OAuthProfileConfig, port: int) -> str:
    if profile.redirect_url is None:
        return f"http://localhost:{port}{PATH}"
    parts = urlsplit(profile.redirect_url)
    if parts.port is not None:
        return profile.redirect_url
    host = parts.netloc
    return f"http://{host}:{port}{parts.path or '/'}"


async def _exchanged(
    endpoint: TokenEndpoint, clock: Clock, attempt: Attempt, code: Code
) -> TokenPair:
    result: TokenResult = Retryable(detail="not asked yet")
    for pause_s in EXCHANGE_PAUSES_S:
        await clock.sleep(pause_s)
        result = await endpoint.exchange(
            code.value,
            verifier=attempt.verifier,
            redirect_uri=attempt.redirect_uri,
            state=attempt.state,
        )
        if not isinstance(result, Retryable):
            break
    match result:
        case TokenPair():
            return result
        case Rejected(error=error, description=description):
            raise MaxpoolError(
                f"the provider refused the code ({description or error})", "Run it again to sign in"
            )
        case Retryable(detail=detail) | Ambiguous(detail=detail):
            raise MaxpoolError(
                f"the provider's token endpoint gave no tokens ({detail})",
                "Check token_url and the network, then run it again",
            )
