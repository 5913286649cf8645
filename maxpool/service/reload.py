"""Reloading the config while the server runs: a wrong file changes nothing and is said everywhere.

Hot keys apply at once and never touch running requests; what needs a restart is named.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.errors import ConfigError, ConfigProblem, MaxpoolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from maxpool.config.load import Loaded
    from maxpool.config.model import Config
    from maxpool.ports import Clock

log = logging.getLogger("maxpool.config")

COLD_SERVER_KEYS = (
    *("host", "port", "tls_cert", "tls_key", "drain_s", "allowed_paths"),
    *("max_body_bytes", "max_body_decoded_bytes"),
)
COLD_UPSTREAM_KEYS = ("ca_file", "client", "keepalive_expiry_s")

SECOND_LOOK_S = 0.4
"""An editor that empties a file and then fills it is done by then; a person waits a second at most."""


@dataclass(slots=True)
class Reloader:
    """Loads the config again and hands it on; remembers what went wrong.

    `load` reads and checks the file; `apply` makes a good config the running one.
    """

    config: Config
    clock: Clock
    load: Callable[[], Loaded]
    apply: Callable[[Config], None]
    loaded_at: float
    error: str | None = None
    restart_for: tuple[str, ...] = field(default=())
    reloads: int = 0
    first: Config = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.config

    async def follow(self, changes: AsyncIterator[None]) -> None:
        """Reload at each change, until cancelled."""
        async for _ in changes:
            if self._loses_an_account():  # or the file is only half written
                await self.clock.sleep(SECOND_LOOK_S)
            try:
                self.reload()
            except Exception as error:  # the next edit must still be followed
                log.exception("config: a reload failed inside maxpool", exc_info=error)
                self.error = (
                    f"it was applied only in part ({type(error).__name__}): restart maxpool"
                )

    def _loses_an_account(self) -> bool:
        try:
            fresh = self.load().config
        except Exception:  # noqa: BLE001 - the reload says what is wrong
            return False
        named = {entry.name for entry in fresh.accounts}
        return any(entry.name not in named for entry in self.config.accounts)

    def reload(self) -> bool:
        """Read the file and apply it; False when it was wrong and the old config stays."""
        try:
            fresh = self.load().config
        except ConfigError as error:
            return self._keep("; ".join(map(_in_a_line, error.problems)))
        except Exception as error:  # noqa: BLE001 - no file whatever may end the watching
            return self._keep(f"it cannot be read ({type(error).__name__})")
        try:
            self.apply(fresh)
        except MaxpoolError as error:  # before anything has changed
            return self._keep(f"{error.message} {error.hint}".strip())
        # Against the first config: what runs of the cold keys are still its values.
        cold = tuple(cold_changes(self.first, fresh))
        if cold and cold != self.restart_for:
            log.warning("config: a restart is needed for %s", ", ".join(cold))
        self.restart_for = cold
        self.config, self.error, self.loaded_at = fresh, None, self.clock.now()
        self.reloads += 1
        log.info("config: reloaded, accounts: %d", len(fresh.accounts))
        return True

    def notices(self) -> tuple[str, ...]:
        """What the status page says besides `error`."""
        if not self.restart_for:
            return ()
        return (f"Restart maxpool to apply: {', '.join(self.restart_for)}.",)

    def _keep(self, error: str) -> bool:
        log.error("config: the old one stays in force: %s", error)
        self.error = error
        return False


def _in_a_line(problem: ConfigProblem) -> str:
    """Where, what and the way out; not the offending line itself, which may hold a secret."""
    where = f"{problem.path}:{problem.line}" if problem.line else problem.path
    way_out = f" ({problem.hint})" if problem.hint else ""
    return f"{where}: {problem.message}{way_out}"


def cold_changes(old: Config, new: Config) -> list[str]:
    """Keys that differ and only take effect at a restart, as the file names them."""
    found = [
        f"[server] {key.removesuffix('_s').removesuffix('_bytes')}"
        for key in COLD_SERVER_KEYS
        if getattr(old.server, key) != getattr(new.server, key)
    ]
    found += [
        f"[upstream] {key.removesuffix('_s')}"
        for key in COLD_UPSTREAM_KEYS
        if getattr(old.upstream, key) != getattr(new.upstream, key)
    ]
    found += [
        f"[secrets] {key.removesuffix('_s')}"
        for key in ("store", "timeout_s", "command_timeout_s")
        if getattr(old.secrets, key) != getattr(new.secrets, key)
    ]
    if old.storage.folder != new.storage.folder:
        found.append("[storage] folder")
    found += [
        f"[ledger] {key.removesuffix('_s')}"
        for key in ("enabled", "url", "queue_rows", "flush_s")
        if getattr(old.ledger, key) != getattr(new.ledger, key)
    ]
    found += [
        f"[logging] {key.removesuffix('_bytes')}"
        for key in ("level", "format", "file_max_bytes", "files_kept")
        if getattr(old.logging, key) != getattr(new.logging, key)
    ]
    return found
