"""Refreshes of several processes, and of one that is killed: no token is ever sent twice."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.ports import Secret
from maxpool.sim.faults import HangFault
from maxpool.wire.credential import encode
from tests.refreshing import LIFE_S, LOGIN, FolderVault, World, is_refresh, sign_in, world
from tests.refreshing_child import LOST, STEPS
from tests.rig import until

if TYPE_CHECKING:
    from asyncio.subprocess import Process

ROOT = Path(__file__).parents[2]


def due(of: World, folder: Path) -> str:
    """Leave a login whose refresh is due and whose access token is valid; its fingerprint."""
    found = sign_in(of.sim, "max", of.url, of.clock.now())
    now = of.clock.now()
    found = replace(found, granted_at=now - LIFE_S, expires_at=now + 300.0)
    FolderVault(folder / "vault").put(LOGIN, Secret(encode(found)))
    return found.fingerprint


async def begin(of: World, folder: Path, step: str = "") -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.refreshing_child", str(folder), of.url, step),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )


async def end(child: Process) -> dict[str, Any]:
    """What a run that came to its end says."""
    out, _ = await child.communicate()
    assert child.returncode == 0
    told: dict[str, Any] = json.loads(out)
    return told


def check(of: World, told: dict[str, Any], before: str, *, lost: bool) -> None:
    """No token was sent twice; a login that may be lost is named, and any other serves anew."""
    sent = of.refreshes()
    assert len(set(sent)) == len(sent) <= 2
    if lost:
        (notice,) = told["notices"]
        assert "max was being refreshed when the program ended" in notice
        assert before in notice
        assert "maxpool login max" in notice
        assert told["token"] == before, "its access token is still good"
    else:
        assert told["notices"] == []
        assert told["token"] not in (None, before)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_any_step_loses_no_login_silently(tmp_path, step):  # O3 T1 T2
    async with world() as of:
        before = due(of, tmp_path)
        killed = await begin(of, tmp_path, step)
        assert await killed.wait() == -signal.SIGKILL
        told = await end(await begin(of, tmp_path))
        check(of, told, before, lost=step in LOST)
        assert len(of.refreshes()) == (0 if step == "begun" else 1)


@pytest.mark.slow
async def test_a_kill_while_the_answer_is_awaited_names_the_login(tmp_path):  # O3 T1
    async with world() as of:
        before = due(of, tmp_path)
        of.sim.inject(HangFault(), when=is_refresh)
        child = await begin(of, tmp_path)
        await until(of.refreshes, within_s=30.0)
        child.send_signal(signal.SIGKILL)
        await child.wait()
        check(of, await end(await begin(of, tmp_path)), before, lost=True)


@pytest.mark.slow
async def test_three_processes_refresh_once_and_all_have_the_new_token(tmp_path):  # T3
    async with world() as of:
        before = due(of, tmp_path)
        of.sim.inject(HangFault(seconds=0.5), when=is_refresh)
        told = await asyncio.gather(*[end(await begin(of, tmp_path)) for _ in range(3)])
        assert len(of.refreshes()) == 1
        assert sum(one["refreshes"] for one in told) == 1
        (token,) = {one["token"] for one in told}
        assert token != before
