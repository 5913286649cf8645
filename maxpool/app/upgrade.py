"""A config file of an older format is rewritten when the server starts; its old text stays beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.adapters.configfile import edit
from maxpool.adapters.privatefile import write_private
from maxpool.config.upgrade import STEPS, upgraded
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from maxpool.config.upgrade import Step


def upgrade(path: Path, steps: Mapping[int, Step] = STEPS) -> Path | None:
    """Bring the file to the present format; returns where the old text is, None if nothing was to do.

    A file that cannot be written stays as it is: reading it brings it to the present format, too.
    """
    try:
        old = path.read_bytes()
        text = old.decode("utf-8-sig")
        if upgraded(text, steps) == text:
            return None
        backup = path.with_name(f"{path.name}.before-upgrade")
        write_private(backup, old)
        edit(path, lambda now: upgraded(now, steps))
    except (OSError, ValueError, MaxpoolError):
        return None
    return backup
