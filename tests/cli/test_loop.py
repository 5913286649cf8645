import asyncio
import sys

import pytest

from maxpool.cli import loop


async def kind() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_a_coroutine_is_run_to_its_end():
    assert loop.run(kind())


@pytest.mark.skipif(sys.platform == "win32", reason="no uvloop there")
def test_the_fast_loop_is_used_where_there_is_one():
    assert loop.run(kind()).startswith("uvloop")


def test_without_the_fast_loop_asyncios_own_will_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop.run(kind()).startswith("asyncio")
