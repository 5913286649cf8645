"""maxpool as a service of the person who runs it: which manager this machine has, and what it is to run.

Never root: the service belongs to the user, as the accounts do. The managers' own words are in
`adapters/systemd` and `adapters/launchd`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from maxpool.adapters import process, systemd
from maxpool.adapters.launchd import Launchd
from maxpool.adapters.supervisor import Job, Standing
from maxpool.adapters.systemd import Systemd
from maxpool.config import derive, environment
from maxpool.config.running import held, running
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.config.load import Loaded

STOP_MARGIN_S: Final = 15.0
"""Beyond the drain: the last save, and what requests that were cut have to tidy up."""

LOG_NAME: Final = "serve.log"
KEPT_VARIABLES: Final = ("MAXPOOL_HOME", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
"""Of the shell that installs it: where it keeps its things and how it gets out. No secret is among them."""

INSTEAD: Final = (
    "Have the container or the supervisor run `maxpool serve` itself, or run it in the background: "
    "maxpool serve --detach"
)


class Manager(Protocol):
    """A service manager of this machine."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def path(self) -> Path:
        """The file that describes the service to it."""

    def missing(self) -> str:
        """Why it cannot be used here, "" when it can."""

    def text(self, job: Job) -> str:
        """What that file holds."""

    def install(self, job: Job) -> None:
        """Write it, start the service now and at each login; raises MaxpoolError."""

    def uninstall(self) -> bool:
        """Stop the service and take it away; False when there was none."""

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """Stop it for now."""

    def standing(self) -> Standing:
        """How it is."""

    def log_command(self, lines: int, *, follow: bool) -> list[str]:
        """The command that shows its log."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service of one config: `job` is what is run, `folder` its state."""

    manager: Manager
    job: Job
    folder: Path

    def install(self) -> None:
        """Make it a service and start it; raises MaxpoolError where that cannot be."""
        check(self.manager)
        alive = running(self.folder)
        if alive is not None and held(self.folder) and self.manager.standing().pid != alive.pid:
            raise MaxpoolError(
                f"maxpool runs already, as process {alive.pid}: the service could not start beside it",
                "Stop that one first: maxpool stop",
            )
        self.manager.install(self.job)

    def system_text(self) -> str:
        """The unit for the system's own manager, which runs it as this user."""
        return systemd.text(self.job, user=getuser())


def service(loaded: Loaded) -> Service:
    """The service for that config on this machine."""
    folder = derive.state_folder(loaded.config).absolute()
    return Service(manager(folder), job(loaded, folder), folder)


def manager(folder: Path, platform: str = sys.platform, home: Path | None = None) -> Manager:
    """This system's manager, whether or not it can be used here."""
    home = Path.home() if home is None else home
    if platform == "darwin":
        return Launchd(home / "Library" / "LaunchAgents", folder / LOG_NAME)
    configs = process.environment().get("XDG_CONFIG_HOME") or home / ".config"
    return Systemd(Path(configs) / "systemd" / "user")


def check(found: Manager) -> None:
    """Raise MaxpoolError where that manager cannot be used."""
    missing = found.missing()
    if missing:
        raise MaxpoolError(f"no service can be installed here: {missing}", INSTEAD)


def job(loaded: Loaded, folder: Path) -> Job:
    """What the service runs: this very program, with that config."""
    path = (loaded.path or environment.config_path()).absolute()
    # -P: the working folder must not put modules before ours.
    program = (sys.executable, "-P", "-m", "maxpool")
    named = ("--config", str(path)) if loaded.path is not None else ()
    return Job(
        serve=(*program, "serve", *named),
        reload=(*program, "reload", "--exec", *named),
        stop_s=loaded.config.server.drain_s + STOP_MARGIN_S,
        log=folder / LOG_NAME,
        variables_file=path.parent / "environment",
        variables=_variables(process.environment(), folder),
    )


def _variables(found: Mapping[str, str], folder: Path) -> dict[str, str]:
    """What the manager would not pass on by itself."""
    kept = {
        name: found[given]
        for name in KEPT_VARIABLES
        for given in (name, name.lower())
        if found.get(given)
    }
    return kept | ({"MAXPOOL_HOME": str(folder)} if found.get("MAXPOOL_HOME") else {})
