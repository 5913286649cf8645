"""What a name stands for, in words."""

from __future__ import annotations

from maxpool.cli.explain_targets import SHOWN, targets
from maxpool.cli.tables import Table


def target(label, **given):
    usual = {
        "level": 0,
        "model": "m",
        "account": "a",
        "chosen": False,
        "reason": None,
        "until": None,
    }
    return {"target": label, **usual, **given}


def rows(*listed):
    found = targets({"at": 1000.0, "route": "best", "targets": list(listed)})
    (table,) = [part for part in found if isinstance(part, Table)]
    return table


def test_each_target_is_told_with_who_serves_it_and_why_not():
    table = rows(
        target("a/m", chosen=True),
        target("b/m"),
        target("c/m", reason="quota", until=1600.0),
        target("d/m", level=1, account=None),
    )
    assert table.marked == 0
    assert [row[3] for row in table.rows] == [
        "chosen",
        "could serve",
        "quota, for 10 min",
        "stale: no account offers it",
    ]
    assert table.rows[3][0] == "otherwise d/m"


def test_a_model_that_stands_for_itself_has_no_targets():
    assert targets({"at": 1000.0, "targets": []}) == []


def test_a_long_list_is_cut():
    many = [target(f"t{n}") for n in range(SHOWN + 5)]
    found = targets({"at": 1000.0, "route": "best", "targets": many})
    assert found[-1] == "... and 5 more targets."
