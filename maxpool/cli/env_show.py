"""What `maxpool env` prints. Standard library only: shells run it at their start, and wait for it.

`maxpool.__main__` comes straight here when no option is given; `cli/env.py` reads the options.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.cli import claude_code
from maxpool.config.environment import shell_name, state_folder
from maxpool.config.peek import peek
from maxpool.config.running import client_key, client_key_file, running

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.config.peek import Peek

OFF = 'Clients\' own logins are not forwarded yet: set client_login = "first" under [pool] in the config.'


def main(
    shell: str = "auto",
    port: int | None = None,
    *,
    own_login: bool = False,
    show_key: bool = False,
    config_file: Path | None = None,
    as_json: bool = False,
) -> int:
    """Print the environment for a shell, or as JSON; returns the exit code."""
    found = peek(config_file)
    if config_file is not None and not config_file.exists():
        sys.stderr.write(f"There is no {config_file}: these are the defaults.\n")
    if port is not None:
        found = replace(found, port=port)
    token = _token(found, show_key=show_key)
    kind = claude_code.shell_named(shell_name() if shell == "auto" else shell)
    of = claude_code.own_login if own_login else claude_code.variables
    values = of(_url(found) if port is None else found.url, token, kind)
    if own_login and not found.client_login:
        sys.stderr.write(f"{OFF}\n")
    if as_json:
        text = json.dumps({variable.name: variable.value for variable in values}, indent=2)
    else:
        text = "\n".join([_first_line(kind, own_login), *claude_code.shell_lines(values, kind)])
    sys.stdout.write(f"{text}\n")
    return 0


def _first_line(kind: claude_code.Shell, own_login: bool) -> str:
    usage = claude_code.usage(kind)
    if own_login:
        usage = usage.replace("maxpool env", "maxpool env --own-login")
    return f"# Claude Code through maxpool; to take these lines over: {usage}"


def _url(found: Peek) -> str:
    """Where the server listens; it may run on another port than the config says."""
    serving = running(found.folder or state_folder())
    return serving.url if serving else found.url


def _token(found: Peek, *, show_key: bool) -> claude_code.Token:
    """The client key to show to the server of that config, or what stands in for one."""
    folder = found.folder or state_folder()
    key = client_key(folder) if show_key else None
    if key is not None:
        return claude_code.Token(source="value", where=key)
    return claude_code.Token.from_keys(found.keys, client_key_file(folder))
