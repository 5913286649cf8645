"""A run of the refresher in a process of its own, which may be killed at a named step.

`python -m tests.refreshing_child FOLDER URL STEP` does what is due once, then prints what it knows.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from maxpool.adapters.journal import SqliteRefreshJournal
from maxpool.adapters.refreshlock import FileRefreshLocks, HeldFile
from maxpool.app.build import build
from maxpool.app.logins import Refreshing
from maxpool.sim.demo import InventedSecrets
from tests.refreshing import LOGIN, FolderVault, config_of
from tests.rig import key

if TYPE_CHECKING:
    from maxpool.ports import Secret

STEPS = ("locked", "begun", "answered", "stored", "to end", "ended")
LOST = frozenset({"begun", "answered"})
"""Steps at which the answer is not stored, and the token may be used up."""

STEP = sys.argv[3] if len(sys.argv) > 3 else ""


def reach(step: str) -> None:
    if step == STEP:
        os.kill(os.getpid(), signal.SIGKILL)


class Locks(FileRefreshLocks):
    def acquire(self, account_id: str, timeout_s: float) -> HeldFile | None:
        held = super().acquire(account_id, timeout_s)
        reach("locked")
        return held


class Vault(FolderVault):
    def put(self, name: str, value: Secret) -> None:
        reach("answered")
        super().put(name, value)
        reach("stored")


class Journal(SqliteRefreshJournal):
    def begin(self, account_id: str, fingerprint: str, at: float) -> None:
        super().begin(account_id, fingerprint, at)
        reach("begun")

    def end(self, account_id: str) -> None:
        reach("to end")
        super().end(account_id)
        reach("ended")


async def main(folder: Path, url: str) -> None:
    kept = Refreshing(
        vault=Vault(folder / "vault"),
        locks=Locks(folder / "locks"),
        journal=Journal(folder / "logins.db"),
    )
    secrets = InventedSecrets((key("spare"),))
    built = build(config_of(url), secrets=secrets, refreshing=kept)
    refresher = kept.refresher
    await refresher.start()
    await built.revival.look()
    await refresher.tick()
    while refresher.running:
        await asyncio.wait(set(refresher.running.values()))
    try:
        serves = await refresher.current(LOGIN)
    except Exception as error:  # noqa: BLE001
        serves = None
        sys.stderr.write(f"{error}\n")
    told = {
        "notices": refresher.notices(),
        "token": serves.fingerprint if serves is not None else None,
        "refreshes": refresher.renewal.refreshes,
    }
    await kept.aclose()
    await built.upstream.aclose()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
