"""Code that meets sockets is tested on both event loops: uvloop is what `serve` runs on."""

from __future__ import annotations

import asyncio

import pytest

BOTH = {"test_server", "test_sockets", "test_upstream", "test_connections"}


def pytest_asyncio_loop_factories(config, item):
    factories = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in BOTH:
        uvloop = pytest.importorskip("uvloop")
        factories["uvloop"] = uvloop.new_event_loop
    return factories
