"""Running the official Claude Code program, with the person's terminal as its own.

Finds it, starts it, waits for it. It is never scripted and what it prints is never read, except the
answer of `claude auth status` to the one question whether somebody is signed in.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maxpool.adapters import process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

NAME = "claude"
INSTALL = "npm install -g @anthropic-ai/claude-code"
STATUS_TIMEOUT_S = 15.0
"""`claude auth status` starts in about a second; a version that does not know it may sit and wait."""

OURS = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_CUSTOM_HEADERS",
    "CLAUDE_CODE_OAUTH_TOKEN",
    process.SECRET_KEY_VARIABLE,
    "MAXPOOL_ADMIN_KEY",
)
"""Variables that point a client at a gateway or give it a credential: a sign-in must see neither.

Nor the keys to our own logins and server: what it starts would see them, too.
"""


def find(environment: Mapping[str, str] | None = None) -> str | None:
    """Where the program is: $MAXPOOL_CLAUDE, else on the PATH; None when it is not installed."""
    around = process.environment() if environment is None else environment
    return shutil.which(around.get("MAXPOOL_CLAUDE") or NAME, path=around.get("PATH"))


def run(program: str, arguments: Sequence[str], more: Mapping[str, str] | None = None) -> int:
    """Run it in this terminal until it ends; returns its exit code. Ctrl-C there is its own."""
    with _interrupts_left_to_it():
        child = subprocess.Popen([program, *arguments], env=_around(more))  # noqa: S603 - found by us
        return child.wait()


def knows_sign_in(program: str, config_dir: Path) -> bool | None:
    """Whether somebody is signed in in `config_dir`; None when this version cannot say."""
    try:
        done = subprocess.run(  # noqa: S603 - found by us
            [program, "auth", "status"],
            env=_around({"CLAUDE_CONFIG_DIR": str(config_dir)}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=STATUS_TIMEOUT_S,
            check=False,
        )
        said = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    found = said.get("loggedIn") if isinstance(said, dict) else None
    return found if isinstance(found, bool) else None


def _around(more: Mapping[str, str] | None) -> dict[str, str]:
    kept = {name: text for name, text in process.environment().items() if name not in OURS}
    return kept | dict(more or {})


@contextmanager
def _interrupts_left_to_it() -> Iterator[None]:
    """Keep running at Ctrl-C while the child has the terminal (a handler, unlike "ignore", ends at exec)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
