"""`ports.HomeFiles`: small files of the state folder, which status lines read and write.

They are numbers for people and hints for the pool: losing one costs nothing, so nothing is flushed and
no failure is raised. Knows nothing of what they hold.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.config.homes import FOLDER_NAME, glance_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIX: Final = ".usage.json"
MAX_BYTES: Final = 64 * 1024
MAX_FILES: Final = 1000


class StateHomeFiles:
    """The files of one state folder. One caller at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[
            str, tuple[int, int]
        ] = {}  # by file name: when it was written, and its inode

    def usage(self) -> Mapping[str, bytes]:
        """By account id, the usage files that changed since the last call."""
        found: dict[str, bytes] = {}
        seen: dict[str, tuple[int, int]] = {}
        for path in self._files():
            with suppress(OSError):
                stat = path.stat()
                seen[path.name] = (stat.st_mtime_ns, stat.st_ino)
                if self._seen.get(path.name) != seen[path.name]:
                    with path.open("rb") as file:
                        found[path.name.removesuffix(SUFFIX)] = file.read(MAX_BYTES)
        self._seen = seen
        return found

    def show(self, glance: Mapping[str, Any]) -> None:
        """Replace the file that status lines read, whole, readable by its owner alone."""
        path = glance_path(self._folder)
        fresh = path.with_name(f"{path.name}.new")
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(glance))
            fresh.replace(path)

    def hide(self) -> None:
        """Remove that file."""
        with suppress(OSError):
            glance_path(self._folder).unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        with suppress(OSError):
            return sorted((self._folder / FOLDER_NAME).glob(f"*{SUFFIX}"))[:MAX_FILES]
        return []
