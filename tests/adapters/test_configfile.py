"""Noticing changes of one file, however it is written."""

from __future__ import annotations

import asyncio

import pytest

from maxpool.adapters.configfile import changes


@pytest.fixture
async def seen(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("a = 1")
    rung: asyncio.Queue[None] = asyncio.Queue()

    async def watch():
        async for _ in changes(path):
            rung.put_nowait(None)

    task = asyncio.ensure_future(watch())
    await asyncio.sleep(0.3)
    yield path, rung
    task.cancel()
    await asyncio.wait([task])


async def _rings(rung, within_s=2.0):
    async with asyncio.timeout(within_s):
        await rung.get()


async def test_a_write_is_noticed_within_a_second(seen):
    path, rung = seen
    path.write_text("a = 2")
    await _rings(rung, 1.0)


async def test_a_file_that_is_replaced_is_noticed(seen):
    path, rung = seen
    fresh = path.with_name("new.toml")
    fresh.write_text("a = 3")
    fresh.replace(path)
    await _rings(rung)


async def test_other_files_in_the_folder_ring_nothing(seen):
    path, rung = seen
    path.with_name("other.toml").write_text("x")
    with pytest.raises(TimeoutError):
        await _rings(rung, 0.6)
