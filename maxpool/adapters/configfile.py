"""Noticing that the config file changed: the one door to watchfiles.

Watches the folder, not the file: editors and config managers replace files instead of writing them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watchfiles import awatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DEBOUNCE_MS = 200
"""Several writes this close together are one change; well within the second that people wait."""


async def changes(path: Path) -> AsyncIterator[None]:
    """Yield after each change of the file at `path`, its appearing and vanishing included."""
    targets = {str(path), str(path.resolve())}  # noqa: ASYNC240 - once, before anything runs

    def ours(_change: object, name: str) -> bool:
        return name in targets

    async for _ in awatch(
        path.parent,
        watch_filter=ours,
        debounce=DEBOUNCE_MS,
        step=50,
        recursive=False,
    ):
        yield
