"""`maxpool statusline`: one line at Claude Code's prompt, and putting it there.

The line itself is `statusline_show`'s, which `maxpool.__main__` runs without ever coming here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maxpool.config.environment import environ
from maxpool.config.homes import HOME_VARIABLE

if TYPE_CHECKING:
    from maxpool.app.homes import Change

CLIENT_FOLDER = "~/.claude"


@click.group(
    name="statusline",
    invoke_without_command=True,
    epilog="Example: maxpool statusline install",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print one line for Claude Code's status line: model, context, quota here and in the pool.

    Claude Code runs it at every prompt and hands it JSON on stdin. It asks nobody over the network,
    and in a home account it keeps what the client says of its quota for the pool.
    """
    if ctx.invoked_subcommand is None:
        from maxpool.cli.statusline_show import main

        ctx.exit(main())


def config_dir_option(function: click.decorators.FC) -> click.decorators.FC:
    """`--config-dir DIR`."""
    return click.option(
        "--config-dir",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="The client's folder; default: $CLAUDE_CONFIG_DIR, else ~/.claude.",
    )(function)


@command.command(name="install", epilog="Example: maxpool statusline install --yes")
@config_dir_option
@click.option("--yes", is_flag=True, help="Replace another status line without asking.")
@click.pass_context
def install(ctx: click.Context, config_dir: Path | None, yes: bool) -> None:
    """Make it Claude Code's status line; all other settings stay as they are."""
    from maxpool.app import homes

    folder = client_folder(config_dir)
    done = homes.install_statusline(folder, replace=yes)
    if done.done == "kept":
        click.echo(f"{done.path} has a status line already: {_line(done.other)}")
        if not click.confirm("Replace it? (maxpool statusline uninstall brings it back)"):
            ctx.exit(1)
        done = homes.install_statusline(folder, replace=True)
    click.echo(told(done))


@command.command(name="uninstall", epilog="Example: maxpool statusline uninstall")
@config_dir_option
def uninstall(config_dir: Path | None) -> None:
    """Take it out again; a status line that stood there before comes back."""
    from maxpool.app import homes

    click.echo(told(homes.uninstall_statusline(client_folder(config_dir))))


def client_folder(config_dir: Path | None) -> Path:
    """The client's folder: as given, else where the client itself would look."""
    named = config_dir or environ().get(HOME_VARIABLE) or CLIENT_FOLDER
    return Path(named).expanduser()


def told(done: Change) -> str:
    """What came of it, for a person."""
    match done.done:
        case "installed" | "updated":
            return f"Claude Code shows maxpool's status line from its next prompt on ({done.path})."
        case "already" | "kept":
            return f"It is there already ({done.path})."
        case "removed":
            return f"Removed from {done.path}."
        case "restored":
            return f"Removed from {done.path}; back again: {_line(done.other)}"
        case "absent":
            other = f": another stands there, {_line(done.other)}" if done.other else ""
            return f"There is no status line of maxpool in {done.path}{other}."


def _line(text: str | None) -> str:
    """Somebody else's command on one printable line."""
    return "".join(char if char.isprintable() else " " for char in text or "")
