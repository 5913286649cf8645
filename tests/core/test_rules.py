"""The pool's rules as people see them."""

from __future__ import annotations

from maxpool import Command
from maxpool.core.rules import rules_of
from tests.make import NOW, key, lease, pool


def test_the_rules_in_force_are_shown_and_what_they_bound():
    p = pool("a", key("k"), slots_total=7, queue_limit=3, key_price="never")
    lease(p)
    rules = rules_of(p)
    assert (rules.slots_total, rules.slots_total_used, rules.queue_limit) == (7, 1, 3)
    assert (rules.strategy, rules.key_price, rules.full_at) == ("cost", "never", 0.999)


def test_what_a_person_wished_is_among_the_rules():
    p = pool("a", "b")
    assert (rules_of(p).preferred, rules_of(p).paused) == (None, False)
    p.command(Command("prefer", "b"), NOW)
    p.command(Command("pause"), NOW)
    assert (rules_of(p).preferred, rules_of(p).paused) == ("b", True)
    p.command(Command("automatic"), NOW)
    assert rules_of(p).preferred is None
