"""`maxpool doctor`: is everything right, and what to do where it is not; point other programs here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.app.doctor import Served
    from maxpool.config.clientfiles import Client, Wanted

CLIENTS = ("claude-code", "codex", "opencode")
OFFERED = 30
"""Model names written into OpenCode's file, which offers no others."""


@click.command(name="doctor", epilog="Example: maxpool doctor --brief")
@click.option("--brief", is_flag=True, help="Only what does not pass, one line each.")
@click.option("--skip-live", is_flag=True, help="Ask no account's service.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 120),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="For each answer.",
)
@click.option(
    "--patch", "client", type=click.Choice(CLIENTS), help="Print the config that points it here."
)
@click.option("--write", is_flag=True, help="With --patch: change its file, keeping a copy.")
@click.option("--anyway", is_flag=True, help="With --write: though no account can serve now.")
@click.option("--model", metavar="NAME", help="With --patch: make that the client's model.")
@click.option("--own-login", is_flag=True, help="With --patch claude-code: it keeps its own login.")
@url_option
@config_option
@json_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:  # noqa: ANN401 - one keyword per option
    """Look at everything that must be right: config, machine, server, each account, the clients.

    Costs nothing. Exits with 0 when all passes, 1 when something is to be looked at, 2 when something
    fails. --patch prints what points a client at this server; --write puts it into the client's file.
    """
    client: Client | None = given["client"]
    if client is None:
        for name in ("write", "anyway", "model", "own_login"):
            if given[name]:
                raise click.UsageError(f"--{name.replace('_', '-')} is for --patch")
        ctx.exit(_examine(given))
    ctx.exit(_patch(client, given))


def _examine(given: dict[str, Any]) -> int:
    from maxpool.app.doctor import Doctor, summary
    from maxpool.cli import doctor_view, loop
    from maxpool.cli.control import printed
    from maxpool.cli.progress import working
    from maxpool.cli.tables import printable, show
    from maxpool.service.gates import EXIT_CODES, worst

    doctor = Doctor(
        config_file=given["config_file"],
        served=_served(given["url"], given["config_file"]),
        live=not given["skip_live"],
        timeout_s=given["timeout_s"],
    )
    with working("looking at everything"):
        found = loop.run(doctor.examine())
    said = summary(found)
    if given["as_json"]:
        click.echo(printed(doctor_view.as_json(found, said)))
    elif given["brief"]:
        for line in doctor_view.brief(found, said):
            click.echo(printable(line))
    else:
        show(doctor_view.table(found, said))
    return EXIT_CODES[worst(found)]


def _served(url: str | None, config_file: Path | None) -> Served | None:
    """The running server; None when none answers."""
    from maxpool.app.doctor import SURFACES, Served
    from maxpool.cli import server
    from maxpool.config.environment import client_key, state_folder
    from maxpool.config.peek import peek
    from maxpool.config.running import client_key as local_key
    from maxpool.config.running import running
    from maxpool.errors import NotRunning

    found = peek(config_file)
    folder = found.folder or state_folder()
    alive = running(folder)
    here = url or (alive.url if alive is not None else None)
    if here is None:
        return None
    local = local_key(folder) if alive is not None and here == alive.url else None
    key = client_key() or local
    headers = {"x-maxpool-key": key} if key else {}
    try:
        status = server.fetch_status(here, key=key, certificate=found.tls_cert)
    except NotRunning:
        return None
    answered = {
        path: server.ask(here, "POST", path, headers=headers, body={}, certificate=found.tls_cert)[
            0
        ]
        for path in SURFACES
    }
    return Served(url=here, status=status, surfaces=answered)


# -- pointing a client here ------------------------------------------------------------------------


def _patch(client: Client, given: dict[str, Any]) -> int:
    from maxpool.app import clients
    from maxpool.cli.control import printed
    from maxpool.cli.tables import printable
    from maxpool.config.clientfiles import TITLES, as_json, shown

    if given["own_login"] and client != "claude-code":
        raise click.UsageError("--own-login is for claude-code")
    served = _served(given["url"], given["config_file"])
    wanted = _wanted(client, given, served)
    path = clients.place_of(client)
    text = shown(client, wanted)
    if not given["write"]:
        if given["as_json"]:
            click.echo(printed({"path": str(path), "config": as_json(client, text)}))
            return 0
        click.echo(f"# for {path}; `--write` puts it there and keeps the rest", err=True)
        click.echo(text, nl=False)
        _say_key(client, wanted)
        return 0
    _check_ready(served, anyway=given["anyway"])
    done = clients.write(client, wanted)
    kept = f"; the file as it was: {done.backup}" if done.backup is not None else ""
    said = f"{TITLES[client]} goes to {wanted.url} now ({done.path}{kept})."
    if not done.changed:
        said = f"{TITLES[client]} goes to {wanted.url} already ({done.path})."
    told = {"path": str(done.path), "changed": done.changed}
    told |= {"backup": str(done.backup) if done.backup is not None else None}
    click.echo(printed(told) if given["as_json"] else printable(said))
    _say_key(client, wanted)
    return 0


def _check_ready(served: Served | None, *, anyway: bool) -> None:
    """A client is pointed here only when it would be served."""
    from maxpool.errors import MaxpoolError

    if anyway:
        return
    if served is None:
        raise MaxpoolError("no server runs, so the client would reach nobody", "maxpool serve")
    if not served.status["summary"]["accounts_ready"]:
        raise MaxpoolError(
            "no account can serve now, so the client would only wait",
            "See why: maxpool doctor --brief (or write it all the same: --anyway)",
        )


def _wanted(client: Client, given: dict[str, Any], served: Served | None) -> Wanted:
    from maxpool.config.clientfiles import Wanted
    from maxpool.config.environment import state_folder
    from maxpool.config.peek import peek
    from maxpool.config.running import client_key_file

    found = peek(given["config_file"])
    env = file = None
    if _asks_for_key(given["config_file"]):
        references = (key.partition(":") for key in found.keys if key)
        named = next(((form, where) for form, _, where in references), None)
        own = client_key_file(found.folder or state_folder())
        file = str(own) if own is not None else None
        if file is None and named is not None:
            env, file = (named[1], None) if named[0] == "env" else (None, named[1])
        elif file is None:
            env = "MAXPOOL_KEY"
    return Wanted(
        url=served.url if served is not None else found.url,
        key_env=env,
        key_file=file,
        own_login=given["own_login"],
        model=given["model"],
        models=_models(given) if client == "opencode" and served is not None else (),
    )


def _asks_for_key(config_file: Path | None) -> bool:
    from maxpool.config import derive
    from maxpool.config.load import load

    return derive.key_required(load(config_file).config)


def _models(given: dict[str, Any]) -> tuple[str, ...]:
    """The names that everybody may ask for; none where the server does not let this command look."""
    from maxpool.cli.control import control
    from maxpool.errors import MaxpoolError

    try:
        found = control(given["url"], given["config_file"]).get("/models")["models"]
    except MaxpoolError:
        return ()
    return tuple(one["model"] for one in found if "others" in one["clients"])[:OFFERED]


def _say_key(client: Client, wanted: Wanted) -> None:
    """Codex reads a key from the environment only."""
    if client == "codex" and wanted.needs_key:
        value = f'"$(cat {wanted.key_file})"' if wanted.key_file is not None else "..."
        name = wanted.key_env or "MAXPOOL_KEY"
        click.echo(f"Codex finds its key in the environment: export {name}={value}", err=True)
