"""maxpool as a launch agent of macOS: the property list, and `launchctl`.

`text` is pure. The agent belongs to the user and runs while they are logged in; a crash starts it
anew, an end by hand does not.
"""

from __future__ import annotations

import os
import plistlib
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from maxpool.adapters import supervisor
from maxpool.adapters.supervisor import Standing, call, carry_out

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.adapters.supervisor import Job

LABEL: Final = "local.maxpool"
PAUSE_S: Final = 10
"""Between two starts of one that crashes; launchd allows no shorter pause."""


def text(job: Job) -> str:
    """The property list."""
    found = {
        "Label": LABEL,
        "ProgramArguments": [*job.serve, "--log-file", str(job.log)],
        "EnvironmentVariables": dict(job.variables),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": PAUSE_S,
        "ExitTimeOut": int(job.stop_s),
        "ProcessType": "Interactive",  # people wait for its answers: no throttling
        "Umask": 0o077,
        "StandardOutPath": str(job.log),  # for what it says before it opens its log
        "StandardErrorPath": str(job.log),
    }
    return plistlib.dumps(found, sort_keys=False).decode()


@dataclass(frozen=True, slots=True)
class Launchd:
    """The user's own domain of launchd; `folder` holds their agents, `log` is the service's."""

    folder: Path
    log: Path
    name = "launchd"

    @property
    def path(self) -> Path:
        """The property list's file."""
        return self.folder / f"{LABEL}.plist"

    def missing(self) -> str:
        """Why it cannot be used here, "" when it can."""
        return "" if shutil.which("launchctl") else "there is no launchctl"

    def text(self, job: Job) -> str:
        """The property list."""
        return text(job)

    def install(self, job: Job) -> None:
        """Write the list, start it now and at each login."""
        call(["launchctl", "bootout", _target()])  # an earlier one; there may be none
        supervisor.write(self.path, text(job))
        carry_out(["launchctl", "enable", _target()])
        carry_out(["launchctl", "bootstrap", _domain(), str(self.path)])

    def uninstall(self) -> bool:
        """Stop it and take it away; False when there was none."""
        call(["launchctl", "bootout", _target()])
        return supervisor.remove(self.path)

    def start(self) -> None:
        """Start it."""
        if call(["launchctl", "print", _target()]).returncode:
            carry_out(["launchctl", "bootstrap", _domain(), str(self.path)])
        else:
            carry_out(["launchctl", "kickstart", _target()])

    def stop(self) -> None:
        """Stop it, until the next login or `start`."""
        carry_out(["launchctl", "kill", "SIGTERM", _target()])

    def standing(self) -> Standing:
        """How it is now."""
        if not self.path.exists():
            return Standing(installed=False)
        done = call(["launchctl", "print", _target()])
        if done.returncode:
            return Standing(installed=True, detail="not loaded")
        pid, state = (
            re.search(rf"^\s*{key} = (.+)$", done.stdout, re.MULTILINE) for key in ("pid", "state")
        )
        return Standing(
            installed=True,
            at_login=True,
            running=pid is not None,
            pid=int(pid[1]) if pid else None,
            detail=state[1] if state else "",
        )

    def log_command(self, lines: int, *, follow: bool) -> list[str]:
        """The command that shows its log."""
        return ["tail", "-n", str(lines), *(["-F"] if follow else []), str(self.log)]


def _domain() -> str:
    return f"gui/{os.getuid()}"


def _target() -> str:
    return f"{_domain()}/{LABEL}"
