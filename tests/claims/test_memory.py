"""A real `maxpool serve` that is killed, or whose disk is full: what it remembers (S18, O3, O4)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.sim import faults
from maxpool.sim.faults import QuotaFault
from tests.claims.test_operations import place, serving
from tests.rig import CLAUDE_CODE, ask, key, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.rig import Rig

pytestmark = pytest.mark.slow


async def shown(rig: Rig, true: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The status document as soon as that holds of it."""
    async with asyncio.timeout(60):
        while not true(found := await rig.status()):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.1)
    return found


async def all_saved(rig: Rig) -> dict[str, Any]:
    """The status document once everything in it is on the disk."""
    saves = (await rig.status())["jobs"]["save"]["saves"]
    await shown(rig, lambda found: found["jobs"]["save"]["saves"] >= saves + 2 or _quiet(found))
    return await rig.status()


def _quiet(found: dict[str, Any]) -> bool:
    return bool(found["now"] - (found["jobs"]["save"]["last_at"] or found["now"]) > 2.5)


def remembered(document: dict[str, Any]) -> dict[str, Any]:
    """What a restart must not change."""
    accounts = {
        a["name"]: (a["state"], a["unavailable"], a["models"], a["total"], a["probe"])
        for a in document["accounts"]
    }
    windows = {
        (a["name"], w["window"]): (w["utilization"], w["reset_at"], w["benched_until"])
        for a in document["accounts"]
        for w in a["windows"]
    }
    bound = {s["session"]: (s["account"], s["turns"]) for s in document["sessions"]["list"]}
    return {"accounts": accounts, "windows": windows, "bound": bound}


def closed(document: dict[str, Any]) -> set[str]:
    return {a["name"] for a in document["accounts"] if a["unavailable"]}


async def test_kill_9_forgets_nothing_that_was_saved(tmp_path):  # S18 O3
    people = (plan("p", used_5h=0.4), plan("q", used_7d=0.3), *(key(n) for n in "abcd"))
    missing = faults.missing_model("claude-sonnet-5-5")
    async with place(tmp_path, *people) as one:
        async with serving(one) as (running, rig):
            for n in range(4):
                session = {**CLAUDE_CODE, "x-claude-code-session-id": f"s{n}"}
                assert (await rig.post(ask("x" * 9_000), headers=session)).whole
            one.sim.inject(QuotaFault(window="5h", resets_in_s=900.0), "p")
            assert (await rig.post(headers=CLAUDE_CODE)).account == "q"
            for fault in (faults.plain_forbidden(), faults.spend_limit(), missing):
                one.sim.inject(fault)
                assert (await rig.post()).whole  # by the next key
            before = await all_saved(rig)
            assert await running.end(signal.SIGKILL) == -signal.SIGKILL
        async with serving(one) as (running, rig):
            after = await rig.status()
            assert after["notices"] == before["notices"]
            assert remembered(after) == remembered(before)
            reasons = [a["unavailable"]["reason"] for a in after["accounts"] if a["unavailable"]]
            assert sorted(reasons) == ["forbidden", "quota", "spend_limit"]
            assert [a["models"] for a in after["accounts"] if a["models"]]
            assert await running.end() == 0


async def test_keys_of_one_organisation_share_a_verdict_and_a_restart(tmp_path):  # S13 S18
    people = (key("a", organization="o1"), key("b", organization="o1"), key("c"))
    async with place(tmp_path, *people) as one:
        async with serving(one) as (running, rig):
            one.sim.inject(faults.plain_forbidden(), "a")  # so that b is asked, and tells its own
            for _ in range(20):
                await rig.post()
                if (await rig.state("b"))["total"]["requests"]:
                    break
            one.sim.inject(faults.spend_limit(), "b")
            for _ in range(20):
                await rig.post()
                if "b" in closed(await rig.status()):
                    break
            before = await all_saved(rig)
            assert await running.end(signal.SIGKILL) == -signal.SIGKILL
        async with serving(one) as (running, rig):
            for document in (before, await rig.status()):
                told = {a["name"]: a["unavailable"] for a in document["accounts"]}
                assert told["a"]["reason"] == told["b"]["reason"] == "spend_limit"
                assert (told["a"]["until"], told["c"]) == (told["b"]["until"], None)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if (
        sys.platform != "linux"
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("only root may mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> None:
    descriptor = os.open(disk / "fill", os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while os.write(descriptor, b"x" * 512):
            pass
    os.close(descriptor)


async def test_a_full_disk_is_said_stops_nothing_and_is_got_over(tiny_disk):  # O4
    async with place(tiny_disk) as one:
        async with serving(one) as (running, rig):
            assert (await rig.post()).whole
            await all_saved(rig)
            fill(tiny_disk)
            one.sim.inject(faults.plain_forbidden(), "a")
            told: list[str] = []
            async with asyncio.timeout(30):
                while not any("not saved" in notice for notice in told):
                    session = {**CLAUDE_CODE, "x-claude-code-session-id": f"s{len(told)}" * 20}
                    assert (await rig.post(ask("x" * 500), headers=session)).whole
                    told = (await rig.status())["notices"]
            assert any("The disk is full" in notice for notice in told)
            (tiny_disk / "fill").unlink()
            found = await shown(rig, lambda found: not found["jobs"]["save"]["last_error"])
            assert not any("not saved" in notice for notice in found["notices"])
            await all_saved(rig)
            assert await running.end(signal.SIGKILL) == -signal.SIGKILL
        async with serving(one) as (running, rig):
            assert (await rig.state("a"))["unavailable"]["reason"] == "forbidden"
            assert await running.end() == 0


async def test_a_disk_that_is_full_at_the_start_costs_no_memory(tiny_disk):  # O4 S18
    async with place(tiny_disk) as one:
        async with serving(one) as (running, rig):
            one.sim.inject(faults.plain_forbidden(), "a")
            assert (await rig.post()).whole
            await all_saved(rig)
            assert await running.end(signal.SIGKILL) == -signal.SIGKILL
        fill(tiny_disk)
        async with serving(one) as (running, rig):
            assert (await rig.state("a"))["unavailable"]["reason"] == "forbidden"
            assert (await rig.post()).whole
