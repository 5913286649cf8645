"""Named sets of targets."""

from __future__ import annotations

from maxpool.core.sets import DEFAULT, MAX_SETS, SetOf, Sets

NIGHT = SetOf("night", ("groq/llama",))


def test_a_set_is_made_used_renamed_and_dropped():
    sets = Sets()
    sets.make(NIGHT)
    sets.use("night")
    assert sets.rename("night", "late")
    assert (sets.active, sets.find("night"), sets.find("late")) == (
        "late",
        None,
        SetOf("late", NIGHT.targets),
    )
    assert sets.drop("late")
    assert (sets.active, sets.listed()) == (DEFAULT, [])
    assert not sets.drop("late")
    assert not sets.rename("late", "night")


def test_every_change_is_told_by_the_revision():
    sets, seen = Sets(), set()
    for change in (
        lambda: sets.make(NIGHT),
        lambda: sets.use("night"),
        lambda: sets.configure({}),
        lambda: sets.drop("night"),
    ):
        change()
        seen.add(sets.revision)
    assert len(seen) == 4


def test_the_configs_set_stands_before_one_made_at_run_time():
    sets = Sets()
    sets.make(NIGHT)
    written = SetOf("night", ("max/x",))
    sets.configure({"night": written})
    assert sets.find("night") is written
    assert not sets.made


def test_a_restart_keeps_what_was_made_and_which_is_in_use():  # S18
    sets, fresh = Sets(), Sets()
    sets.make(NIGHT)
    sets.use("night")
    fresh.load(sets.dump())
    assert (fresh.active, fresh.listed()) == ("night", [NIGHT])


def test_a_snapshot_brings_no_more_sets_than_there_may_be():  # S19
    sets = Sets()
    sets.load({"made": [[f"s{n}", ["m"], "cost"] for n in range(MAX_SETS + 9)]})
    assert len(sets.made) == MAX_SETS


def test_a_set_that_the_config_has_no_more_is_in_use_no_more():
    sets = Sets()
    sets.configure({"night": NIGHT})
    sets.use("night")
    sets.configure({"night": NIGHT})
    assert sets.active == "night"
    sets.configure({})
    assert sets.active == DEFAULT


def test_which_set_is_in_use_is_remembered_before_the_config_tells_which_there_are():
    sets = Sets()
    sets.load({"active": "night"})
    sets.configure({"night": NIGHT})
    assert sets.active == "night"
