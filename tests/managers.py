"""A stand-in for a service manager's program on the PATH: writes down what it is asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def fake(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str = "", code: int = 0
) -> Callable[[], list[str]]:
    """Put a program of that name first on the PATH; returns how to read what it was asked so far."""
    programs, asked = folder / "bin", folder / "asked"
    programs.mkdir(exist_ok=True)
    asked.touch()
    (folder / "says").write_text(says)
    path = programs / name
    path.write_text(
        f"#!/bin/sh\necho \"$*\" >> '{asked}'\n/bin/cat '{folder / 'says'}'\nexit {code}\n"
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return lambda: asked.read_text().splitlines()
