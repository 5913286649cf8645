from __future__ import annotations

import re

from maxpool.web import metric_tables as tables

TOLD = [*tables.ACCOUNT, *tables.WINDOW, *tables.POOL, *tables.STATS]
JOBS = [(name, kind, about) for _, _, name, kind, about in tables.JOBS]
ALL = [(m.name, m.kind, m.about) for m in TOLD] + JOBS


def test_no_name_stands_for_two_things():
    names = [name for name, _, _ in ALL]
    assert len(set(names)) == len(names)


def test_counters_end_in_total_and_nothing_else_does():
    for name, kind, _ in ALL:
        assert name.endswith("_total") == (kind == "counter"), name


def test_names_are_words_with_their_unit_and_help_is_a_sentence():
    for name, _, about in ALL:
        assert re.fullmatch(r"[a-z]+[a-z0-9]*(_[a-z0-9]+)*", name)
        assert about.endswith(".")
        assert "\n" not in about
