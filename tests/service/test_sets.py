"""Sets of targets by hand."""

from __future__ import annotations

import pytest

from maxpool.core.sets import SetOf
from maxpool.errors import RequestError
from maxpool.service.sets import SetDesk
from tests.service.test_routes import router


def desk(woken: list[int] | None = None) -> SetDesk:
    heard: list[int] = [] if woken is None else woken
    return SetDesk(router(), lambda: heard.append(1))


def test_a_set_is_made_shown_used_renamed_and_dropped():
    woken: list[int] = []
    it = desk(woken)
    made = it.make("night", ["groq/llama", "max/claude-x@2"], "ordered")
    assert (made["model"], made["kept"], made["active"]) == ("maxpool:night", "made", False)
    assert [one["trouble"] for one in made["targets"]] == [None, None]
    assert it.use("night")["active"]
    assert it.rename("night", "late")["name"] == "late"
    assert [one["name"] for one in it.listed()] == ["default", "late"]
    it.drop("late")
    assert [(one["name"], one["active"]) for one in it.listed()] == [("default", True)]
    assert len(woken) == 4


def test_what_cannot_serve_is_kept_and_told_when_a_set_is_used():
    it = desk()
    it.make("odd", ["groq/gone", "groq/llama"])
    assert [(t["target"], t["trouble"]) for t in it.use("odd")["targets"]] == [
        ("groq/gone", "stale"),
        ("groq/llama", None),
    ]


def test_a_change_is_to_be_saved():
    it = desk()
    before = it.router.pool.revision
    it.make("night", ["groq/llama"])
    assert it.router.pool.revision > before


@pytest.mark.parametrize(
    ("name", "targets", "strategy"),
    [
        ("a/b", ["m"], "cost"),
        ("a:b", ["m"], "cost"),
        (None, ["m"], "cost"),
        ("a", [], "cost"),
        ("a", "m", "cost"),
        ("a", [1], "cost"),
        ("a", ["maxpool:b"], "cost"),
        ("a", ["m"], "best"),
    ],
)
def test_what_is_no_set_is_refused(name, targets, strategy):
    with pytest.raises(RequestError) as caught:
        desk().make(name, targets, strategy)
    assert caught.value.status == 400


def test_the_configs_and_the_built_set_are_changed_in_the_config():
    it = desk()
    it.router.pool.routing.sets.configure({"mine": SetOf("mine", ("groq/llama",))})
    acts = [
        lambda: it.make("mine", ["groq/llama"]),
        lambda: it.drop("mine"),
        lambda: it.rename("default", "x"),
        lambda: it.rename("mine", "x"),
    ]
    for act in acts:
        with pytest.raises(RequestError) as caught:
            act()
        assert caught.value.status == 409
    with pytest.raises(RequestError) as caught:
        it.use("nothing")
    assert caught.value.status == 404
