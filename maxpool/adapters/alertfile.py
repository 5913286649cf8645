"""What was told of alerts, over restarts: one small JSON file of mode 0600. Blocks; decides nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxpool.adapters.privatefile import write_private
from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "alerts.json"


class AlertFile:
    """The file in a state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = Path(folder) / FILE_NAME

    def load(self) -> dict[str, Any] | None:
        """What was kept last, None where there is nothing that can be read."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def save(self, data: Mapping[str, Any]) -> None:
        """Replace it; raises `StateError`."""
        try:
            write_private(self._path, json.dumps(data).encode())
        except OSError as error:
            raise StateError(
                f"cannot write {self._path}: {error.strerror}", "Alerts may be told twice"
            ) from error
