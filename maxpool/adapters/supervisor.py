"""What a service manager of this machine runs for us, and talking to it through its own program.

Shared by `systemd` and `launchd`. It knows no config and prints nothing.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from maxpool.adapters.privatefile import write_private
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CALL_S: Final = 90.0
"""How long such a program may take: `systemctl` waits for a start, and for a stop until the drain is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to run: whole command lines, and what they find around them.

    `stop_s`: from the word to stop until it is killed. `variables_file`: lines NAME=value with
    what the config calls `env:NAME`, read where it exists; not every manager can.
    """

    serve: tuple[str, ...]
    reload: tuple[str, ...]
    stop_s: float
    log: Path
    variables_file: Path
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the service is. `detail`: in the manager's own words."""

    installed: bool
    at_login: bool = False
    running: bool = False
    pid: int | None = None
    detail: str = ""


def call(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run it and return what it said, whatever the code; raises MaxpoolError where it does not run."""
    try:
        return subprocess.run(  # noqa: S603 - the system's own programs
            list(words), capture_output=True, text=True, check=False, timeout=CALL_S
        )
    except OSError as error:
        raise MaxpoolError(f"cannot run {words[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise MaxpoolError(f"{' '.join(words)} did not end within {CALL_S:g} s") from None


def carry_out(words: Sequence[str]) -> None:
    """Run it; raises MaxpoolError with its last words where it fails."""
    done = call(words)
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise MaxpoolError(
            f"{' '.join(words)} failed ({done.returncode}): {said[-1].strip() if said else 'silently'}",
            "See what it did: maxpool service status, maxpool service logs",
        )


def write(path: Path, text: str) -> None:
    """Put a file where the manager looks for it, whole or not at all; raises MaxpoolError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, text.encode())
    except OSError as error:
        raise MaxpoolError(f"cannot write {path}: {error.strerror}") from error


def remove(path: Path) -> bool:
    """Take it away; False when it is not there. Raises MaxpoolError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise MaxpoolError(f"cannot remove {path}: {error.strerror}") from error
    return True
