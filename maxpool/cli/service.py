"""`maxpool service`: have the machine's own service manager run the proxy, from login on.

Words and exit codes; what a manager is asked is `app/service`'s.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from maxpool.cli.options import config_option, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.app.service import Service

NOT_RUNNING = 3


@click.group(name="service")
def command() -> None:
    """Run the proxy as a service of yours: started at login, watched, started again when it fails.

    By systemd on Linux, by launchd on macOS; never as root.
    """


@command.command(epilog="Example: maxpool service install --print")
@click.option("--print", "only_print", is_flag=True, help="Show what would be written, and stop.")
@click.option(
    "--system", is_flag=True, help="Show how to make it a service of the whole machine instead."
)
@config_option
def install(only_print: bool, system: bool, config_file: Path | None) -> None:
    """Make it a service, and start it.

    What the config calls env:NAME is not in a service's environment: write NAME=value into the file
    `environment` beside the config, mode 0600, or keep secrets in the vault (maxpool login).
    """
    found = _service(config_file)
    if system:
        click.echo(_for_the_machine(found))
        return
    if only_print:
        click.echo(f"# {found.manager.path}", err=True)
        click.echo(found.manager.text(found.job), nl=False)
        return
    found.install()
    click.echo(f"maxpool is a service now ({found.manager.name}): {found.manager.path}")
    click.echo("It starts at each login. See it with: maxpool service status")
    if found.manager.name.startswith("systemd"):
        click.echo("To have it run without a login, too: loginctl enable-linger")


@command.command(epilog="Example: maxpool service uninstall")
@config_option
def uninstall(config_file: Path | None) -> None:
    """Stop the service and take it away; config, accounts and state stay."""
    from maxpool.app.service import check

    found = _service(config_file)
    check(found.manager)
    gone = found.manager.uninstall()
    click.echo("The service is gone." if gone else "There was no service.")


@command.command(epilog="Example: maxpool service status")
@config_option
@json_option
@click.pass_context
def status(ctx: click.Context, config_file: Path | None, as_json: bool) -> None:
    """Show whether it is a service and whether that runs; exits with 3 when it does not."""
    from maxpool.app.service import check

    found = _service(config_file)
    check(found.manager)
    standing = found.manager.standing()
    if as_json:
        import json

        click.echo(json.dumps({**asdict(standing), "file": str(found.manager.path)}, indent=2))
    elif not standing.installed:
        click.echo("maxpool is no service. Make it one with: maxpool service install")
    else:
        runs = f"runs as process {standing.pid}" if standing.running else "does not run"
        login = "starts at each login" if standing.at_login else "does not start by itself"
        click.echo(f"The service {runs} and {login}: {standing.detail}.")
        click.echo(f"File: {found.manager.path}")
    if not standing.running:
        ctx.exit(NOT_RUNNING)


@command.command(epilog="Example: maxpool service logs --follow")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="So many, the last.",
)
@click.option("--follow", "-f", is_flag=True, help="Show new lines as they come, until Ctrl-C.")
@config_option
@click.pass_context
def logs(ctx: click.Context, lines: int, follow: bool, config_file: Path | None) -> None:
    """Show what the service said."""
    import subprocess

    from maxpool.app.service import check

    found = _service(config_file)
    check(found.manager)
    words = found.manager.log_command(lines, follow=follow)
    try:
        ctx.exit(subprocess.run(words, check=False).returncode)  # noqa: S603 - the system's own program
    except KeyboardInterrupt:
        ctx.exit(0)
    except OSError as error:
        from maxpool.errors import MaxpoolError

        raise MaxpoolError(f"cannot run {words[0]}: {error.strerror}") from error


@command.command(epilog="Example: maxpool service start")
@config_option
def start(config_file: Path | None) -> None:
    """Start the service."""
    found = _installed(config_file)
    found.manager.start()
    click.echo("The service runs.")


@command.command(epilog="Example: maxpool service stop")
@config_option
def stop(config_file: Path | None) -> None:
    """Stop the service until the next login or start; running answers may finish."""
    found = _installed(config_file)
    found.manager.stop()
    click.echo("The service is stopped.")


def _service(config_file: Path | None) -> Service:
    from maxpool.app.service import service
    from maxpool.config.load import load

    return service(load(config_file))


def _installed(config_file: Path | None) -> Service:
    from maxpool.app.service import check
    from maxpool.errors import MaxpoolError

    found = _service(config_file)
    check(found.manager)
    if not found.manager.path.exists():
        raise MaxpoolError("maxpool is no service here", "Make it one: maxpool service install")
    return found


def _for_the_machine(found: Service) -> str:
    """What an administrator does; this command does nothing of it."""
    return (
        "# Nothing was done. As an administrator, write the rest of this to\n"
        "# /etc/systemd/system/maxpool.service, then:\n"
        "#   systemctl daemon-reload && systemctl enable --now maxpool.service\n"
        "# It runs as you. A keyring opens at your login only: keep secrets in the encrypted file.\n"
        f"{found.system_text()}"
    ).rstrip("\n")
