"""`maxpool demo`: the real proxy in front of a simulated upstream, and a live view of its pool.

`maxpool.app.demo` builds and runs everything, `demo_view` shows it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from maxpool.app.demo import Scenario
    from maxpool.cli.demo_view import SignIn

PREFERRED_PORT = 3456
ONCE_AFTER_S = 6.0
"""Traffic before the one picture of `--once`: enough for every plan to have told its quota."""


@click.command(name="demo", epilog="Example: maxpool demo --minutes 2 --speed 3")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The proxy's port; default: 3456, else any free one.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.1, 600),
    help="Length of the 5-hour window; default: 3, in a scenario 1.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.01, 1000),
    default=1.0,
    show_default=True,
    help="How lively the traffic is.",
)
@click.option(
    "--scenario",
    type=click.Choice(["takeover"]),
    help="takeover: Claude accounts that are used up, another vendor meanwhile, and the way back.",
)
@click.option(
    "--no-traffic", is_flag=True, help="Send nothing by itself; only your own requests arrive."
)
@click.option(
    "--once", is_flag=True, help="Print one picture of the pool after some traffic, then stop."
)
@click.option(
    "--sign-in",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a config with which to try maxpool login at the simulated upstream.",
)
@click.option(
    "--duration", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Stop by itself."
)
def command(  # noqa: PLR0913 - one per option
    port: int | None,
    minutes: float | None,
    speed: float,
    scenario: Scenario | None,
    no_traffic: bool,
    once: bool,
    sign_in: Path | None,
    duration: float | None,
) -> None:
    """See the pool at work: no account, no network.

    Five invented accounts on a simulated upstream, quota windows of minutes, lively traffic and
    the real proxy in between. Ctrl-C ends it.
    """
    from maxpool.app.demo import demo_world
    from maxpool.cli import loop
    from maxpool.cli.demo_view import Plan, show

    taken = port is None and _taken(PREFERRED_PORT)
    minutes = minutes or (3.0 if scenario is None else 1.0)
    world = demo_world(
        port=(0 if taken else PREFERRED_PORT) if port is None else port,
        minutes=minutes,
        speed=speed,
        traffic=not no_traffic,
        scenario=scenario,
    )
    plan = Plan(
        duration_s=duration,
        once=once,
        minutes=minutes,
        story=scenario is not None,
        settle_s=0.0 if no_traffic else ONCE_AFTER_S,
        taken_port=PREFERRED_PORT if taken else None,
        sign_in=_sign_in(sign_in, minutes, speed) if sign_in is not None else None,
    )
    with suppress(KeyboardInterrupt):
        loop.run(show(world, plan))
    click.echo("The demo has ended.")


def _sign_in(path: Path, minutes: float, speed: float) -> SignIn:
    """What writes the config for trying logins; raises `StateError` for a file that is not ours."""
    from maxpool.cli.demo_view import SignIn
    from maxpool.errors import StateError
    from maxpool.sim.demo import SIGN_IN_MARK, sign_in_config
    from maxpool.sim.people import demo_settings

    settings = demo_settings(minutes, speed)
    if path.exists() and not path.read_text(errors="replace").startswith(SIGN_IN_MARK):
        raise StateError(f"{path} exists, and no demo wrote it", "Name another file")

    def write(upstream_url: str) -> None:
        path.write_text(sign_in_config(upstream_url, settings))

    return SignIn(path=path, write=write)


def _taken(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
