"""Noticing changes of one file, however it is written; and changing it safely."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress

import pytest

from maxpool.adapters.configfile import changes, edit
from maxpool.errors import ConfigError, MaxpoolError


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
    while rung.empty():  # until it watches
        path.write_text("a = 1")
        await asyncio.wait({task}, timeout=1)
    rung.get_nowait()
    yield path, rung
    task.cancel()
    await asyncio.wait([task])


async def _rings(rung, within_s=30.0):
    async with asyncio.timeout(within_s):
        await rung.get()


async def test_a_write_is_noticed(seen):
    path, rung = seen
    path.write_text("a = 2")
    await _rings(rung)


async def test_a_file_that_is_replaced_is_noticed(seen):
    path, rung = seen
    fresh = path.with_name("new.toml")
    fresh.write_text("a = 3")
    fresh.replace(path)
    await _rings(rung)


async def test_a_file_behind_a_link_is_noticed(tmp_path):
    real = tmp_path / "real" / "maxpool.toml"
    real.parent.mkdir()
    real.write_text("a = 1")
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    watching = changes(link)
    rung = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0.3)
    async with asyncio.timeout(30):
        while not rung.done():  # before it watches, it sees nothing
            edit(link, lambda text: text + "b = 2\n")
            await asyncio.wait({rung}, timeout=1)
    await watching.aclose()


async def test_other_files_in_the_folder_ring_nothing(seen):
    path, rung = seen
    path.with_name("other.toml").write_text("x")
    with pytest.raises(TimeoutError):
        await _rings(rung, 0.6)


# -- edits -------------------------------------------------------------------------------------------


def test_a_missing_file_is_made_for_its_owner_alone(tmp_path):
    path = tmp_path / "new" / "config.toml"
    edit(path, lambda text: text + "a = 1\n")
    assert path.read_text() == "a = 1\n"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "config.toml"
    path.write_text("a = 1\n")
    path.chmod(mode)
    edit(path, lambda text: text.replace("1", "2"))
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("a = 2\n", mode)


def test_a_link_stays_a_link_and_its_target_changes(tmp_path):
    real = tmp_path / "dotfiles" / "maxpool.toml"
    real.parent.mkdir()
    real.write_text("a = 1\n")
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    edit(link, lambda text: text.replace("1", "2"))
    assert link.is_symlink()
    assert real.read_text() == "a = 2\n"


def test_what_the_change_raises_leaves_the_file_untouched(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("a = 1\n")
    before = path.stat()

    def refuse(_text: str) -> str:
        raise ConfigError([])

    with pytest.raises(ConfigError):
        edit(path, refuse)
    assert (path.read_text(), path.stat().st_mtime_ns) == ("a = 1\n", before.st_mtime_ns)
    edit(path, lambda text: text + "b = 2\n")  # and the lock is free again
    assert path.read_text() == "a = 1\nb = 2\n"


def test_what_an_editor_saves_meanwhile_is_not_lost(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("a = 1\n")
    saves = ["a = 1\nb = 2\n"]

    def change(text: str) -> str:
        if saves:
            path.write_text(saves.pop())
        return text + "c = 3\n"

    edit(path, change)
    assert path.read_text() == "a = 1\nb = 2\nc = 3\n"


def test_line_ends_and_the_byte_order_mark_stay_as_they_are(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    edit(path, lambda text: f"{text.replace('2', '3')}c = 4\n")
    assert path.read_bytes() == b"\xef\xbb\xbfa = 1\r\nb = 3\r\nc = 4\r\n"


def test_a_file_that_cannot_be_used_is_named(tmp_path):
    path = tmp_path / "config.toml"
    path.mkdir()
    with pytest.raises(MaxpoolError, match=r"cannot change .*config\.toml"):
        edit(path, lambda text: text)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"a = '\xe9'\n")
    with pytest.raises(MaxpoolError, match="is not UTF-8"):
        edit(latin, lambda text: text)


WRITER = """
import sys
from pathlib import Path
from maxpool.adapters.configfile import edit
for number in range(25):
    edit(Path(sys.argv[1]), lambda text: text + f"{sys.argv[2]}{number} = 1\\n")
"""


def test_two_writers_at_once_lose_nothing(tmp_path):
    path = tmp_path / "config.toml"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(f"{name}{n} = 1" for name in "ab" for n in range(25))


KILLED = """
import sys
from pathlib import Path
from maxpool.adapters.configfile import edit
print("begun", flush=True)
while True:
    edit(Path(sys.argv[1]), lambda text: "b" * 400_000 if text[0] == "a" else "a" * 400_000)
"""


def test_a_writer_killed_at_any_moment_leaves_the_old_text_or_the_new(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("a" * 400_000)
    for pause_s in (0.0, 0.003, 0.01, 0.02):
        writer = subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        with suppress(subprocess.TimeoutExpired):
            writer.wait(pause_s)
        writer.kill()
        writer.wait(10)
        writer.stdout.close()
        text = path.read_text()
        assert text in ("a" * 400_000, "b" * 400_000)
    edit(path, lambda _text: "c")  # what it left behind is no hindrance
    assert path.read_text() == "c"
