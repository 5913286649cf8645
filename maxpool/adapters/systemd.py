"""maxpool as a service of systemd's user manager: the unit's text, and `systemctl --user`.

`text` is pure. The unit belongs to the user, needs no root, and the server in it tells that it is
ready, that it lives and that it stops (`notify`).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from maxpool.adapters import supervisor
from maxpool.adapters.supervisor import Standing, call, carry_out

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from maxpool.adapters.supervisor import Job

UNIT: Final = "maxpool.service"
WATCHDOG_S: Final = 30
"""A loop that stood still for so long serves nobody; no decision takes a thousandth of it."""

_UNIT = """\
[Unit]
Description=maxpool: one local endpoint in front of your LLM accounts
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={serve}
ExecReload={reload}
{variables}
# Lines NAME=value for what the config calls env:NAME; keep it mode 0600.
EnvironmentFile=-{variables_file}
WatchdogSec={watchdog_s}
TimeoutStartSec=60
TimeoutStopSec={stop_s}
# The main process drains, and whoever it took over from; what is left then is killed.
KillMode=mixed
Restart=on-failure
RestartSec=2
# 2: the config is wrong. Starting again does not mend it.
RestartPreventExitStatus=2
UMask=0077
# Only what leaves the keyring (D-Bus), `command:` secrets and the browser of a login as they are, and what
# a user's own manager may do everywhere: nothing here needs namespaces of the file system.
NoNewPrivileges=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

[Install]
WantedBy={wanted_by}
"""


def text(job: Job, *, user: str | None = None) -> str:
    """The unit; `user`: for the system's manager, which runs it as that user."""
    unit = _UNIT.format(
        serve=_words(job.serve),
        reload=_words(job.reload),
        variables="\n".join(
            f"Environment={_quoted(f'{name}={value}')}" for name, value in job.variables.items()
        ),
        variables_file=str(job.variables_file).replace("%", "%%"),
        watchdog_s=WATCHDOG_S,
        stop_s=f"{job.stop_s:g}",
        wanted_by="default.target" if user is None else "multi-user.target",
    ).replace("\n\n#", "\n#")
    if user is None:
        return unit
    return unit.replace("Type=notify\n", f"Type=notify\nUser={user}\n").replace(
        "StartLimitIntervalSec", "Wants=network-online.target\nAfter=network-online.target\nStartLimitIntervalSec"
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Systemd:
    """The user manager; `folder` is where it looks for a user's own units."""

    folder: Path
    name = "systemd (user)"

    @property
    def path(self) -> Path:
        """The unit's file."""
        return self.folder / UNIT

    def missing(self) -> str:
        """Why it cannot be used here, "" when it can."""
        if shutil.which("systemctl") is None:
            return "there is no systemctl"
        if call(["systemctl", "--user", "show-environment"]).returncode:
            return "systemd runs no user manager for this session"
        return ""

    def text(self, job: Job) -> str:
        """The unit."""
        return text(job)

    def install(self, job: Job) -> None:
        """Write the unit, start it now and at each login."""
        supervisor.write(self.path, text(job))
        carry_out(_user("daemon-reload"))
        carry_out(_user("enable", UNIT))
        carry_out(_user("restart", UNIT))

    def uninstall(self) -> bool:
        """Stop it and take it away; False when there was none."""
        if not self.path.exists():
            return False
        carry_out(_user("disable", "--now", UNIT))
        found = supervisor.remove(self.path)
        carry_out(_user("daemon-reload"))
        return found

    def start(self) -> None:
        """Start it."""
        carry_out(_user("start", UNIT))

    def stop(self) -> None:
        """Stop it, until the next login or `start`."""
        carry_out(_user("stop", UNIT))

    def standing(self) -> Standing:
        """How it is now."""
        if not self.path.exists():
            return Standing(installed=False)
        wanted = ("ActiveState", "SubState", "MainPID", "UnitFileState", "NRestarts", "Result")
        said = call(_user("show", UNIT, *(f"--property={name}" for name in wanted))).stdout
        found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        pid = found.get("MainPID", "")
        more = [f"{found.get('ActiveState', 'unknown')} ({found.get('SubState', '')})"]
        if found.get("Result", "success") != "success":
            more.append(f"result: {found['Result']}")
        if found.get("NRestarts", "0") != "0":
            more.append(f"restarted {found['NRestarts']} times")
        return Standing(
            installed=True,
            at_login=found.get("UnitFileState") == "enabled",
            running=found.get("ActiveState") in ("active", "reloading"),
            pid=int(pid) if pid.isdigit() and int(pid) else None,
            detail=", ".join(more),
        )

    def log_command(self, lines: int, *, follow: bool) -> list[str]:
        """The command that shows its log."""
        found = ["journalctl", "--user", f"--unit={UNIT}", f"--lines={lines}", "--no-pager"]
        return [*found, "--follow"] if follow else found


def _user(*words: str) -> list[str]:
    return ["systemctl", "--user", *words]


def _escaped(word: str) -> str:
    """Without a meaning of its own in a quoted string, nor as a specifier (systemd.syntax(7))."""
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _quoted(word: str) -> str:
    return f'"{_escaped(word)}"'


def _words(words: Iterable[str]) -> str:
    """A command line; $ would be a variable there."""
    return " ".join(_quoted(word.replace("$", "$$")) for word in words)
