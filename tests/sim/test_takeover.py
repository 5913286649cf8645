"""The cast of the scenario `takeover`."""

from __future__ import annotations

from maxpool.config import derive
from maxpool.core.targets import upstream_model
from maxpool.sim.demo import demo_config
from maxpool.sim.people import demo_people
from maxpool.sim.takeover import ENTRIES, SECTIONS, VENDOR, takeover_world


def test_another_vendor_stands_behind_two_plans_and_knows_no_claude_model():
    people, settings = takeover_world(2.0)
    url = "http://127.0.0.1:1"
    config = demo_config(url, people, settings, 0, entries=ENTRIES, sections=SECTIONS)
    *plans, other = derive.accounts(config)
    assert [p.kind for p in plans] == ["subscription", "subscription"]
    assert (other.name, other.kind, other.format) == (VENDOR, "provider", "openai-chat")
    assert upstream_model(other.models, "claude-opus-5-5") == "big-model"
    assert all(p.priority < other.priority for p in plans)


def test_the_plans_are_smaller_than_the_usual_ones_and_the_week_outlasts_many_windows():
    _, settings = takeover_world(2.0)
    assert (settings.window_5h_s, settings.week_ratio[0] > 10) == (120.0, True)
    assert len(demo_people()) > len(takeover_world()[0])
