import pytest

from maxpool.sim.summary import LOADED, MEASURES, spread, tables
from tests.sim.played import result

MOST = {(family, seed): 100.0 for family in ("moderate", "few", "light") for seed in (1, 2, 3)}


def served(*values, strategy="cost", family="moderate"):
    """A run for each seed with that much value."""
    return [
        result(family, seed, strategy, value_served=value) for seed, value in enumerate(values, 1)
    ]


def test_a_mean_comes_with_its_standard_error():
    found = spread([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.error == pytest.approx(1 / 3**0.5)
    assert spread([4.0]).error is None


def test_differences_are_taken_seed_by_seed():
    runs = [*served(50, 90), *served(51, 91, strategy="sticky")]
    (table,) = tables(runs, MOST, ["moderate"])
    first, second = table.lines
    assert first.against_first is None
    assert second.against_first is not None
    assert second.values["share"].error == pytest.approx(0.2)
    assert second.against_first["share"].mean == pytest.approx(0.01)
    assert second.against_first["share"].error == pytest.approx(0.0)


def test_the_loaded_families_are_averaged_within_each_seed_before_anything_else():
    runs = [*served(40, 60), *served(60, 40, family="few"), *served(99, 99, family="light")]
    found = tables(runs, MOST, ["moderate", "few"])
    assert [table.name for table in found] == ["moderate", "few", "light", LOADED]
    (line,) = found[-1].lines
    assert (line.values["share"].mean, line.values["share"].error) == (0.5, 0.0)
    assert found[-1].families == ("moderate", "few")


def test_one_loaded_family_needs_no_table_over_all():
    assert [t.name for t in tables(served(40), MOST, ["moderate"])] == ["moderate"]


def test_each_measure_is_what_its_meaning_says():
    found = {measure.key: measure.of(result(), 120.0) for measure in MEASURES}
    assert found == {
        "share": 0.75,
        "overhead": pytest.approx(1.1),
        "moves": 10.0,
        "late_1s": 4.0,
        "late_60s": 2.0,
        "wait_s": 0.5,
        "quota_429": 3,
        "burst_429": 5,
        "cache_lost": 2.5,
        "unused": 1.0,
        "key_usd": 1.5,
    }


def test_a_run_in_which_nothing_happened_divides_by_nothing():
    empty = result(turns=0, served=0, value_served=0.0, least=0.0, moves=0, waited_s=0.0)
    assert [m.of(empty, 0.0) for m in MEASURES if m.key in ("share", "moves", "wait_s")] == [
        0,
        0,
        0,
    ]
