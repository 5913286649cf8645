"""What `maxpool demo` shows: what to try, then the pool live in a terminal or line by line in a pipe.

It learns about the pool only through `/status`, as any other client would, and builds nothing.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import click

from maxpool.cli import claude_code, render
from maxpool.cli.demo_story import Story
from maxpool.cli.options import terminal_width
from maxpool.cli.server import fetch_status
from maxpool.config.environment import no_color, shell_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from rich.console import Console, RenderableType

LIVE_EVERY_S = 0.5
PLAIN_EVERY_S = 5.0
STORY_EVERY_S = 1.0
MODEL = "claude-sonnet-5-5"


class World(Protocol):
    """What runs during a demo, by its addresses."""

    @property
    def proxy_url(self) -> str:
        """The proxy's origin."""

    @property
    def status_url(self) -> str:
        """The page a browser shows."""

    @property
    def upstream_url(self) -> str:
        """The simulated upstream's origin."""

    @property
    def admin_key(self) -> str:
        """What opens the demo's admin API; it ends with the demo."""

    @property
    def client_key(self) -> str | None:
        """The key the proxy asks for, None when it asks for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A config for trying logins: where it goes, and what writes it for an upstream's origin."""

    path: Path
    write: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the demo is shown: `duration_s` None means until Ctrl-C.

    `minutes` is the length of its 5-hour window; `taken_port` the usual port when it was not free;
    `story`: tell what happens, as it happens.
    """

    duration_s: float | None
    once: bool
    settle_s: float = 0.0  # how long traffic runs before the one picture
    minutes: float
    taken_port: int | None = None
    story: bool = False
    sign_in: SignIn | None = None


async def show(world: AbstractAsyncContextManager[World], plan: Plan) -> None:
    """Run the world and show it until its time is up or somebody stops it."""
    stop = asyncio.Event()
    release = _stop_on_signals(stop)
    try:
        async with world as running:
            if plan.sign_in is not None:
                plan.sign_in.write(running.upstream_url)
            click.echo("\n".join(introduction(running, plan)))
            sys.stdout.flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(plan.duration_s):
                    await _pictures(running, plan, stop)
    finally:
        release()


def introduction(world: World, plan: Plan) -> list[str]:
    """What to look at and what to try, above the live view."""
    shell = claude_code.shell_named(shell_name())
    token = (
        claude_code.Token(source="value", where=world.client_key)
        if world.client_key
        else claude_code.Token()
    )
    key = f" -H 'x-maxpool-key: {world.client_key}'" if world.client_key else ""
    body = {
        "model": MODEL,
        "max_tokens": 200,
        "stream": True,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    headers = f"-H 'content-type: application/json' -H 'anthropic-version: 2023-06-01'{key}"
    return [
        *_instead(world, plan),
        f"maxpool {world.proxy_url}   simulated upstream {world.upstream_url}",
        f"Dashboard: {world.proxy_url}/   (in numbers: {world.status_url})",
        f"Quota windows last minutes here: 5h means {_minutes(plan.minutes)} (--minutes).",
        "These invented subscriptions serve every program; real ones serve Claude Code only.",
        "Try a streaming request:",
        f"  curl -N {world.proxy_url}/v1/messages {headers} -d '{json.dumps(body)}'",
        "Ask why the last request went where it went:",
        f"  MAXPOOL_ADMIN_KEY={world.admin_key} maxpool explain --url {world.proxy_url}",
        "Or Claude Code itself, in another shell:",
        *(f"  {line}" for line in claude_code.lines(world.proxy_url, token, shell, comments=False)),
        *_logins(plan),
        "Ctrl-C ends the demo.",
        "",
    ]


def _instead(world: World, plan: Plan) -> list[str]:
    if plan.taken_port is None:
        return []
    return [f"Port {plan.taken_port} is taken, using {urlsplit(world.proxy_url).port}."]


def _logins(plan: Plan) -> list[str]:
    if plan.sign_in is None:
        return []
    path = shlex.quote(str(plan.sign_in.path.absolute()))
    return [
        "Or a login of your own at the simulated upstream, in another shell:",
        f"  export MAXPOOL_CONFIG={path}",
        "  maxpool secrets init              # only where there is no keyring",
        "  maxpool login work --oauth demo   # sign in as any of its people",
        "  maxpool serve",
    ]


def _minutes(minutes: float) -> str:
    return f"{minutes:g} minute{'' if minutes == 1 else 's'}"


async def _pictures(world: World, plan: Plan, stop: asyncio.Event) -> None:
    look = _looker(world)
    if plan.once:
        await _stopped(stop, plan.settle_s)
    status = await look()
    if plan.once:
        click.echo("\n".join(render.plain(status, terminal_width())))
    elif sys.stdout.isatty() and not no_color():
        await _live(status, look, stop, Story() if plan.story else None)
    else:
        await _lines(status, look, stop, Story() if plan.story else None)


def _looker(world: World) -> Callable[[], Any]:
    async def look() -> dict[str, Any]:
        return await asyncio.to_thread(fetch_status, world.proxy_url, key=world.client_key)

    return look


async def _lines(
    status: dict[str, Any], look: Callable[[], Any], stop: asyncio.Event, story: Story | None
) -> None:
    speed: float | None = None
    while True:
        said = story.after(status) if story is not None else None
        if said is not None:
            click.echo(said)
        click.echo(render.one_line(status, speed))
        sys.stdout.flush()
        if await _stopped(stop, PLAIN_EVERY_S if story is None else STORY_EVERY_S):
            return
        before, status = status, await look()
        speed = render.requests_per_s(before, status)


async def _live(
    status: dict[str, Any], look: Callable[[], Any], stop: asyncio.Event, story: Story | None
) -> None:
    from rich.live import Live

    console = _console()
    speed = Speed()
    with Live(_picture(status, console, speed.after(status)), console=console) as live:
        while not await _stopped(stop, LIVE_EVERY_S):
            status = await look()
            said = story.after(status) if story is not None else None
            if said is not None:
                console.print(said)
            live.update(_picture(status, console, speed.after(status)))


class Speed:
    """Requests per second over the last pictures: long enough to be calm, short enough to be live."""

    KEPT = 10

    def __init__(self) -> None:
        self._pictures: list[dict[str, Any]] = []

    def after(self, status: dict[str, Any]) -> float:
        """The speed, now that this picture has come."""
        self._pictures = [*self._pictures, status][-self.KEPT :]
        return render.requests_per_s(self._pictures[0], status)


def _picture(status: dict[str, Any], console: Console, per_s: float) -> RenderableType:
    return render.renderable(status, width=console.width, per_s=per_s)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


async def _stopped(stop: asyncio.Event, within_s: float) -> bool:
    """Wait that long; whether somebody asked to stop meanwhile."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await stop.wait()
    return stop.is_set()


def _stop_on_signals(stop: asyncio.Event) -> Callable[[], None]:
    """The first signal asks to stop; after that the default holds again, so a second one ends at once."""
    running = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def release() -> None:
        for number in signals:
            running.remove_signal_handler(number)

    def asked() -> None:
        release()
        stop.set()

    try:
        for number in signals:
            running.add_signal_handler(number, asked)
    except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
        return lambda: None
    return release
