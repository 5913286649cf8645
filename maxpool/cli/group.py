"""The `maxpool` command: its verbs, found by name and imported when used, and how errors end.

No verb's logic lives here. Only click is imported, because every start pays for it.
"""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click

from maxpool import __version__
from maxpool.errors import ConfigError, MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = (
    "demo",
    "serve",
    "login",
    "logout",
    "status",
    "top",
    "doctor",
    "explain",
    "accounts",
    "models",
    "providers",
    "sets",
    "keys",
    "sessions",
    "requests",
    "usage",
    "pause",
    "resume",
    "run",
    "statusline",
    "env",
    "config",
    "secrets",
    "export",
    "import",
    "reload",
    "stop",
    "service",
    "simulate",
    "metrics",
    "alerts",
    "completion",
    "help",
    "man",
)
USAGE_ERROR = 2


def module_of(verb: str) -> str:
    """Where a verb lives; a name that Python keeps for itself has an underscore behind it."""
    return f"maxpool.cli.{verb}{'_' if iskeyword(verb) else ''}"


class Verbs(click.Group):
    """A group whose commands are the modules of this folder, one verb each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which a newcomer needs them."""
        return list(VERBS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs in a line each, as click writes them; of those that say theirs none is imported."""
        from maxpool.cli.verbs import SUMMARIES

        limit = formatter.width - 6 - max(map(len, VERBS))
        rows = []
        for verb in VERBS:
            said = SUMMARIES.get(verb)
            known = self.get_command(ctx, verb) if said is None else click.Command(verb, help=said)
            if known is not None:
                rows.append((verb, known.get_short_help_str(limit)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's `command`, imported now."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(module_of(cmd_name)).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb named first; an unknown one is answered with the nearest right name."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run a verb; whatever it raises ends as words and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click's own endings, and a reader that left: see `run`
        except Exception as error:  # noqa: BLE001 - the outermost place; --debug shows the rest
            if ctx.params["debug"]:
                import traceback

                traceback.print_exc()
            ctx.exit(report(error))


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try it without any account: maxpool demo",
)
@click.version_option(__version__, prog_name="maxpool")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def maxpool(debug: bool) -> None:
    """One local endpoint in front of all the LLM accounts you own.

    Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 the server is not running,
    4 no account can serve.
    """


def report(error: Exception) -> int:
    """Print an error for a person, last of all what to do next; returns the exit code."""
    if isinstance(error, ConfigError):
        _print_problems(error)
    if isinstance(error, MaxpoolError):
        click.echo(f"Error: {error.message}", err=True)
        if error.hint:
            click.echo(error.hint, err=True)
        return error.exit_code
    click.echo(f"Error: maxpool failed in a way of its own ({_brief(error)})", err=True)
    click.echo("Run it again as `maxpool --debug ...` and report what it prints", err=True)
    return 1


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    try:
        code = maxpool.main(list(arguments), prog_name="maxpool", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"For all options: {error.ctx.command_path} --help", err=True)
        return error.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _print_problems(error: ConfigError) -> None:
    from maxpool.config.problems import render

    for problem in error.problems:
        click.echo("\n".join(render(problem)), err=True)


def _brief(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
