"""The fault matrix: every line of it over a real server, streaming and not, on keys and on subscriptions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.chaos import WORLDS, run
from tests.faults.lines import LINES
from tests.faults.play import play
from tests.faults.scenes import SCENES
from tests.faults.storm import storm
from tests.faults.table import table
from tests.rig import key, plan

if TYPE_CHECKING:
    from tests.faults.lines import Form, Line


def case(line: Line, form: Form) -> Any:
    """A line for one form of request; a second form that ends alike is left to the slow run."""
    marks = [pytest.mark.slow] if form == "json" and line.json is None else []
    return pytest.param(line, form, id=f"{line.happens}-{form}", marks=marks)


CASES = [case(line, form) for line in LINES for form in line.forms]


@pytest.mark.parametrize(("line", "form"), CASES)
@pytest.mark.parametrize("kind", [key, pytest.param(plan, marks=pytest.mark.slow)])
async def test_every_fault_ends_as_the_matrix_says(
    line, form, kind
):  # R2, R3, R4, R5, R7, R8, R12, R15
    assert await play(line, form, kind) == line.end_of(form)


@pytest.mark.slow
@pytest.mark.parametrize(("line", "form"), CASES)
async def test_every_fault_ends_the_same_whichever_http_client_asks(line, form):  # R2, R3, R4, R5
    assert await play(line, form, key, "httpx") == line.end_of(form)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.play.__name__)
async def test_every_scene_ends_as_the_matrix_says(scene, tmp_path):  # R10, R11, R14, Q8, O3, O5
    await scene.play(tmp_path, "builtin")


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
async def test_no_random_fault_costs_an_error_that_was_not_needed_or_a_wrong_byte(
    world,
):  # R1, R2, R12
    report = await run(world, 200, seed=7)
    assert not report.wrong, report.lines()
    assert report.ends["answer"] > report.requests / 2


@pytest.mark.slow
async def test_a_storm_of_clients_that_leave_is_heard_of_upstream_at_once():  # R11, R12
    report = await storm(150, seed=7)
    assert not report.wrong, report.lines()
    assert len(report.late) > 50


def test_the_readme_shows_the_matrix_as_it_is_played():
    assert table() in Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
