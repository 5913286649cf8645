import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from maxpool.app import simulate
from maxpool.app.simulate import Plan, Task, play
from maxpool.core.settings import PoolSettings
from maxpool.errors import MaxpoolError

pytest.importorskip("scipy")

SMALL = Plan(families=("few",), strategies=("cost", "sticky"), seeds=(2, 1), weeks=0.03)


def timeless(played):
    return tuple(replace(result, took_s=0.0) for result in played.results)


def test_everything_is_played_once_and_comes_in_the_order_of_the_plan():
    heard = []
    plan = replace(SMALL, families=("light", "few"), seeds=(2,))
    played = play(plan, progress=lambda done, total, task: heard.append((done, total, task)))
    wanted = [(f, s, name) for f, s in plan.grounds for name in plan.strategies]
    assert [(r.family, r.seed, r.strategy) for r in played.results] == wanted
    assert [(g.family, g.seed) for g in played.grounds] == plan.grounds
    assert [done for done, _, _ in heard] == [1, 2, 3, 4, 5, 6]
    assert heard[0][1:] == (6, Task("light", 2, None))


def test_many_processes_give_what_one_gives():
    plan = replace(SMALL, bound=None)
    alone, together = play(plan), play(plan, jobs=2)
    assert timeless(alone) == timeless(together)
    assert alone.grounds == together.grounds


def test_strategies_meet_on_the_same_scenario_and_under_its_bound():
    played = play(SMALL)
    assert len({(r.seed, r.value_offered) for r in played.results}) == 2
    for ground in played.grounds:
        assert ground.bound is not None
        mine = [r for r in played.results if r.seed == ground.seed]
        assert all(r.value_served <= ground.bound * (1 + 1e-6) for r in mine)
        assert all(r.value_offered == pytest.approx(ground.offered) for r in mine)


def test_without_a_bound_none_is_computed():
    played = play(replace(SMALL, seeds=(1,), bound=None))
    assert [ground.bound for ground in played.grounds] == [None]
    assert played.grounds[0].accounts


def test_settings_and_added_accounts_reach_the_runs():
    plan = replace(SMALL, seeds=(1,), strategies=("cost",))
    changed = replace(plan, settings=PoolSettings(warm_bonus=0.0), add=("max_20x",))
    before, after = play(plan), play(changed)
    assert len(after.grounds[0].accounts) == len(before.grounds[0].accounts) + 1
    assert timeless(before) != timeless(after)


def test_only_the_first_run_keeps_its_hours_and_only_if_asked():
    first, *others = play(replace(SMALL, chart=True)).results
    assert first.samples
    assert not any(result.samples for result in others)
    assert not play(replace(SMALL, seeds=(2,), strategies=("cost",))).results[0].samples


@pytest.mark.slow
def test_a_failure_in_another_process_ends_them_all_and_keeps_its_words():
    with pytest.raises(MaxpoolError) as caught:
        play(replace(SMALL, families=("few", "fwe")), jobs=2)
    assert "fwe" in caught.value.message
    assert caught.value.hint
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.slow
def test_ctrl_c_ends_all_processes_at_once():
    arguments = ["simulate", "--family", "many", "--weeks", "50", "--seeds", "2", "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "maxpool", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _until(lambda: len(_group(process.pid)) >= 3)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 1
        assert b"Traceback" not in said
        _until(lambda: not _group(process.pid))
    finally:
        with suppress(ProcessLookupError):  # whatever failed, nothing stays behind
            os.killpg(process.pid, signal.SIGKILL)


def test_a_bound_is_known_to_be_available():
    assert simulate.bound_available()


def _group(leader):
    """The processes of a group; ps says it alike on Linux and macOS."""
    told = subprocess.run(["ps", "-axo", "pid=,pgid="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in told.stdout.splitlines()]
    return [pid for pid, group in pairs if int(group) == leader]


def _until(true, within_s=60.0):
    deadline = time.perf_counter() + within_s
    while not true():
        assert time.perf_counter() < deadline
        time.sleep(0.05)
