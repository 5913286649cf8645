"""The composition root: the only floor that knows every class. It builds and runs, and decides nothing.

`demo_world` is loaded on first use: serving needs no simulated world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.app.build import Maxpool, build
from maxpool.app.run import run

if TYPE_CHECKING:
    from maxpool.app.demo import demo_world

__all__ = ["Maxpool", "build", "demo_world", "run"]


def __getattr__(name: str) -> object:
    """Load the demo when it is asked for."""
    if name != "demo_world":
        raise AttributeError(f"module 'maxpool.app' has no attribute {name!r}")
    from maxpool.app.demo import demo_world as found

    return found
