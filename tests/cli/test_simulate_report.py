import json

import pytest

from maxpool import PoolSettings
from maxpool.app.simulate import Ground, Plan, Played
from maxpool.cli.simulate_report import Report
from tests.sim.played import result, samples


def report(**given):
    """Two families, two strategies, two seeds; `sticky` serves five more of a hundred."""
    plan = Plan(
        **{
            "families": ("moderate", "few"),
            "strategies": ("cost", "sticky"),
            "seeds": (1, 2),
            "weeks": 1.0,
            **given,
        }
    )
    bound = None if plan.bound is None else 95.0
    grounds = [
        Ground(family=f, seed=s, loaded=True, accounts=("a<1>", "b"), offered=100.0, bound=bound)
        for f, s in plan.grounds
    ]
    runs = [
        result(f, s, name, value_served=80.0 + s + 5 * nth)
        for f, s in plan.grounds
        for nth, name in enumerate(plan.strategies)
    ]
    if plan.chart:
        runs[0] = result(*plan.grounds[0], plan.strategies[0], samples=samples())
    return Report.of(plan, Played(grounds=tuple(grounds), results=tuple(runs)))


def test_shares_are_of_the_bound_and_without_one_of_the_offer():
    def share(found):
        return found.tables[0].lines[0].values["share"].mean

    assert share(report()) == pytest.approx(81.5 / 95)
    assert share(report(bound=None)) == pytest.approx(81.5 / 100)
    assert "of what was offered" in report(bound=None).notes()[0]


def test_the_table_over_the_loaded_families_says_it_all():
    assert report().overall.name == "loaded"
    assert report(families=("few",)).overall.name == "few"


def test_the_command_plays_the_same_again():
    changed = PoolSettings(warm_bonus=20.0, model_prices={"opus": 2.0})
    found = report(settings=changed, add=("pro",), bound="nominal", seeds=(3, 5)).command("--json")
    assert found == (
        "maxpool simulate --family moderate --family few --strategy cost --strategy sticky "
        "--seed 3 --seed 5 --weeks 1 --add pro --set warm_bonus=20 "
        "--set 'model_prices={\"opus\" = 2}' --bound nominal --json"
    )
    assert report().command().endswith("--seeds 2 --weeks 1")


def test_what_was_changed_is_told():
    notes = report(settings=PoolSettings(warm_bonus=20.0), add=("pro", "key")).notes()
    assert notes[-2:] == ["Changed settings: warm_bonus = 20.", "Added accounts: pro, key."]


def test_the_json_has_no_times_of_the_machine_unless_asked():
    found = report().document()
    assert "took_s" not in json.dumps(found)
    assert report().document(timing=True)["runs"][0]["took_s"] == 0.25


def test_the_json_tells_runs_scenarios_and_tables():
    found = json.loads(json.dumps(report().document()))
    assert len(found["runs"]) == 8
    assert found["scenarios"][0]["bound"] == 95.0
    last = found["tables"][-1]
    assert (last["name"], last["seeds"]) == ("loaded", 2)
    first, second = last["strategies"]
    assert first["against_first"] is None
    assert second["against_first"]["share"]["mean"] == pytest.approx(5 / 95)
    assert set(found["measures"]) == set(second["values"])


def test_the_charted_run_is_the_one_that_kept_its_hours():
    assert report().charted is None
    found = report(chart=True)
    assert found.charted is found.played.results[0]
    assert found.accounts(found.played.results[0]) == ("a<1>", "b")
