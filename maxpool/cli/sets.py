"""`maxpool sets`: named sets of targets, and which of them the model id `maxpool` means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path


@click.group(name="sets", invoke_without_command=True)
@url_option
@config_option
@json_option
@click.pass_context
def command(ctx: click.Context, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the sets of targets, or make, change and use one while the server runs.

    Clients ask for a set as model `maxpool:NAME`, for the one in use as `maxpool`.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_all, url=url, config_file=config_file, as_json=as_json)
    elif url is not None or config_file is not None or as_json:
        raise click.UsageError(f"Write options behind {ctx.invoked_subcommand}.", ctx)


@command.command(name="list", epilog="Example: maxpool sets list")
@url_option
@config_option
@json_option
def show_all(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show every set: its targets, and which one is in use."""
    from maxpool.cli.control import control, printed
    from maxpool.cli.tables import show

    found = control(url, config_file).get("/sets")
    if as_json:
        click.echo(printed(found))
    else:
        show([_table(found["sets"])])


@command.command(name="show", epilog="Example: maxpool sets show default")
@click.argument("name", metavar="NAME")
@url_option
@config_option
@json_option
def show_one(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show one set with every target, and those that nobody can serve."""
    from maxpool.cli.control import control, printed, word
    from maxpool.cli.tables import Table, show

    found = control(url, config_file).get(f"/sets/{word(name)}")
    if as_json:
        click.echo(printed(found))
        return
    rows = tuple((t["target"], t["model"], t["trouble"] or "") for t in found["set"]["targets"])
    show([_line(found["set"]), "", Table(head=("TARGET", "MODEL", "TROUBLE"), rows=rows)])


@command.command(name="create", epilog="Example: maxpool sets create night groq/llama-3 max/*")
@click.argument("name", metavar="NAME")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option(
    "--strategy",
    default="cost",
    show_default=True,
    metavar="NAME",
    help="How to choose among them.",
)
@url_option
@config_option
@json_option
def create(
    name: str,
    targets: tuple[str, ...],
    strategy: str,
    url: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Make a set of targets: ACCOUNT/MODEL, PROVIDER/MODEL, a model or an alias.

    It is remembered over restarts; one of that name that was made so gets these targets.
    """
    from maxpool.cli.control import control

    found = control(url, config_file).post(
        "/sets", name=name, targets=list(targets), strategy=strategy
    )
    _told(found, as_json, f"There is a set {name} now; use it as model maxpool:{name}.")


@command.command(name="rename", epilog="Example: maxpool sets rename night late")
@click.argument("name", metavar="NAME")
@click.argument("to", metavar="NEW")
@url_option
@config_option
@json_option
def rename(name: str, to: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Give a set that was made with `create` another name."""
    from maxpool.cli.control import control, word

    found = control(url, config_file).patch(f"/sets/{word(name)}", name=to)
    _told(found, as_json, f"The set {name} is called {to} now.")


@command.command(name="delete", epilog="Example: maxpool sets delete late")
@click.argument("name", metavar="NAME")
@url_option
@config_option
@json_option
def delete(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Forget a set that was made with `create`; the default one takes its place."""
    from maxpool.cli.control import control, word

    found = control(url, config_file).delete(f"/sets/{word(name)}")
    _told(found, as_json, f"The set {name} is deleted.")


@command.command(name="use", epilog="Example: maxpool sets use night")
@click.argument("name", metavar="NAME")
@url_option
@config_option
@json_option
def use(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Have the model id `maxpool` mean this set from now on."""
    from maxpool.cli.control import control, word

    found = control(url, config_file).post(f"/sets/{word(name)}/use")
    _told(found, as_json, f"maxpool means the set {name} now.")


def _told(found: dict[str, Any], as_json: bool, text: str) -> None:
    """What was done, and the targets of the set that cannot serve."""
    from maxpool.cli.control import printed
    from maxpool.cli.tables import printable

    if as_json:
        click.echo(printed(found))
        return
    click.echo(printable(text))
    for target in found.get("set", {}).get("targets", ()):
        if target["trouble"]:
            click.echo(printable(f"{target['target']} is {target['trouble']}: passed over."))


def _table(sets: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - a Table, imported when used
    from maxpool.cli.tables import Table

    rows = tuple((one["name"], one["kept"], one["strategy"], _targets(one)) for one in sets)
    marked = next((i for i, one in enumerate(sets) if one["active"]), None)
    return Table(head=("SET", "FROM", "STRATEGY", "TARGETS"), rows=rows, marked=marked)


def _targets(one: dict[str, Any]) -> str:
    return ", ".join(
        f"{t['target']}{' (' + t['trouble'] + ')' if t['trouble'] else ''}" for t in one["targets"]
    )


def _line(one: dict[str, Any]) -> str:
    used = ", in use" if one["active"] else ""
    return f"{one['name']}: {one['kept']}, strategy {one['strategy']}{used}."
