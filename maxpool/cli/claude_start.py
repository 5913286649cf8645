"""Starting the real `claude`: where it is, the environment it gets, and becoming it.

The program is unmodified; what it needs to know stands in its environment, and nothing else does.
Standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from maxpool.cli.claude_code import ANY_TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Never

NAME: Final = "claude"
INSTALL: Final = "npm install -g @anthropic-ai/claude-code"
MISSING, NOT_RUNNABLE = 127, 126
"""Exit codes as a shell has them for a program that is not there, or that it cannot run."""

_CREDENTIALS: Final = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN")
_ELSEWHERE: Final = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
)
_OWN: Final = ("MAXPOOL_SECRET_KEY", "MAXPOOL_ADMIN_KEY")
"""Ours alone: what a client runs, and what that runs, could read them."""

_BASE_URL, _HEADERS = "ANTHROPIC_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS"
_OURS: Final = "x-maxpool-"


def find(env: Mapping[str, str], named: str | None) -> str | None:
    """The program as named, else $MAXPOOL_CLAUDE, else `claude` on the PATH; None when it is not there."""
    return shutil.which(named or env.get("MAXPOOL_CLAUDE") or NAME, path=env.get("PATH"))


def through_pool(
    env: Mapping[str, str],
    base_url: str,
    key: str | None,
    *,
    account: str | None = None,
    own_login: bool = False,
) -> dict[str, str]:
    """The environment for a client of the pool.

    `key`: what it shows to maxpool, None for any text. `own_login`: it keeps the login it has, which
    the pool forwards; a key then goes in a header of its own. `account`: the only one it may use.
    """
    found = {name: value for name, value in env.items() if name not in {*_ELSEWHERE, *_OWN}}
    headers = {}
    if account is not None:
        headers["x-maxpool-account"] = account
    if not own_login:
        found = {name: value for name, value in found.items() if name not in _CREDENTIALS}
        found["ANTHROPIC_AUTH_TOKEN"] = key or ANY_TOKEN
    elif key is not None:
        headers["x-maxpool-key"] = key
    return {**_with_headers(found, headers), _BASE_URL: base_url, "ENABLE_PROMPT_CACHING_1H": "1"}


def at_home(env: Mapping[str, str], config_dir: Path) -> dict[str, str]:
    """The environment for a client that talks to its provider itself, with the login it keeps there."""
    away = {*_CREDENTIALS, *_ELSEWHERE, *_OWN, _BASE_URL}
    found = {name: value for name, value in env.items() if name not in away}
    return {**_with_headers(found, {}), "CLAUDE_CONFIG_DIR": str(config_dir)}


def become(program: str, arguments: Sequence[str], env: Mapping[str, str]) -> Never:
    """Run it in this process's place: terminal, signals and exit code are its own.

    Raises OSError where the system cannot run it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(program, [program, *arguments], dict(env))  # noqa: S606 - the user's own program
    done = subprocess.run([program, *arguments], env=dict(env), check=False)  # noqa: S603
    raise SystemExit(done.returncode)


def _with_headers(env: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, str]:
    """The user's own extra headers (one a line), without earlier ones of ours, and these."""
    held = env.get(_HEADERS, "").splitlines()
    lines = [line for line in held if line.strip() and not line.strip().lower().startswith(_OURS)]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    found = {name: value for name, value in env.items() if name != _HEADERS}
    return {**found, _HEADERS: "\n".join(lines)} if lines else found
