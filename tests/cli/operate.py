"""The command line against a real proxy on loopback, found by its state folder as a person's is."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from maxpool.cli.group import maxpool
from tests.rig import ADMIN_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig import Rig


def tell(folder: Path, url: str, key: str = ADMIN_KEY) -> None:
    """What a running server leaves in its state folder."""
    (folder / "server.json").write_text(json.dumps({"url": url, "pid": os.getpid()}))
    (folder / "admin.key").write_text(key + "\n")


def say(folder: Path, *arguments: str, **env: str) -> Result:
    """Run a command for the server of that folder."""
    around = {
        "MAXPOOL_HOME": str(folder),
        "MAXPOOL_CONFIG": str(folder / "none.toml"),
        "MAXPOOL_ADMIN_KEY": "",
        **env,
    }
    return CliRunner(env=around).invoke(maxpool, list(arguments))


async def run(it: Rig, folder: Path, *arguments: str) -> Result:
    """Run a command against the rig's proxy, beside it."""
    tell(folder, it.url)
    return await asyncio.to_thread(say, folder, *arguments)
