from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

from maxpool.core.alertrules import AlertRule
from maxpool.core.alerts import CALM_S, AlertTimes
from maxpool.core.lease import Command, CredentialChange
from maxpool.errors import StateError
from maxpool.service.alerting import (
    LATELY_S,
    SOON_S,
    Alerting,
    AlertSettings,
    Lately,
    LedgerState,
)
from maxpool.service.events import Events
from maxpool.service.stats import Stats
from tests.make import pool, unified
from tests.rig import until
from tests.service.test_delivery import posting

DEAD = AlertRule(name="login-dead", when="login_dead", urgent=True)
USED = AlertRule(name="used", when="window", above=0.9)


class Memory:
    def __init__(self, data: dict[str, Any] | None = None) -> None:
        self.data, self.saves, self.broken = data, 0, False

    def load(self) -> dict[str, Any] | None:
        return self.data

    def save(self, data: Any) -> None:
        if self.broken:
            raise StateError("cannot write", "Alerts may be told twice")
        self.data, self.saves = dict(data), self.saves + 1


class Watched:
    """Alerting over a pool, and a real receiver of what it tells."""

    def __init__(self, it: Any, *rules: AlertRule, **settings: Any) -> None:
        self.it, self.clock, self.stats = it, it.clock, Stats()
        self.ledger = LedgerState()
        self.pool = pool("a", "b")
        self.alerting = Alerting(
            pool=self.pool,
            clock=it.clock,
            tasks=it.delivery.tasks,
            lately=Lately(self.stats, lambda: self.ledger),
            delivery=it.delivery,
            utc_offset_s=lambda _at: 0,
        )
        targets = settings.pop("targets", {"x": it.url})
        self.alerting.follow(AlertSettings(rules=rules, targets=targets, **settings))

    def used(self, share: float) -> None:
        self.pool.observe("a", unified(self.clock.now(), seven=share, five=0.1), self.clock.now())

    def rests(self) -> None:
        self.pool.command(Command("disable", "a"), self.clock.now())

    def dies(self) -> None:
        self.pool.credential("a", CredentialChange("dead", reason="revoked"), self.clock.now())

    @property
    def told(self) -> list[tuple[str, str]]:
        bodies = [body for _, _, body in self.it.receiver.got]
        return [(alert["status"], alert["rule"]) for body in bodies for alert in body["alerts"]]


@asynccontextmanager
async def watched(*rules: AlertRule, **settings: Any):
    async with posting() as it:
        yield Watched(it, *rules, **settings)


async def test_what_begins_and_ends_reaches_the_target():
    async with watched(USED) as it:
        it.used(0.95)
        await it.alerting.tick()
        await until(lambda: it.told == [("firing", "used")])
        it.rests()
        await it.alerting.tick()
        it.clock.advance(CALM_S)
        await it.alerting.tick()
        await until(lambda: it.told == [("firing", "used"), ("resolved", "used")])


async def test_what_begins_together_is_one_message():
    async with watched(USED, DEAD) as it:
        it.used(0.95)
        it.dies()
        await it.alerting.tick()
        await until(lambda: it.it.receiver.got)
        assert it.told == [("firing", "used"), ("firing", "login-dead")]
        assert len(it.it.receiver.got) == 1


async def test_each_target_hears_of_the_rules_that_name_it():
    mine = AlertRule(name="used", when="window", above=0.9, targets=("y",))
    async with watched(mine, DEAD) as it:
        targets = {"x": f"{it.it.url}/x", "y": f"{it.it.url}/y"}
        it.alerting.follow(AlertSettings(rules=(mine, DEAD), targets=targets))
        it.used(0.95)
        it.dies()
        await it.alerting.tick()
        await until(lambda: len(it.it.receiver.got) == 2)
        heard = {path: [a["rule"] for a in body["alerts"]] for path, _, body in it.it.receiver.got}
        assert heard == {"/x": ["login-dead"], "/y": ["used", "login-dead"]}


async def test_a_dead_login_is_told_at_the_event_and_not_at_the_next_look():
    async with watched(DEAD) as it:
        events = Events(it.clock)
        events.subscribe(it.alerting.hear)
        it.dies()
        events.tell("config_loaded")
        for _ in range(100):  # they cost one look
            events.tell("login_dead", "a", "a", reason="revoked")
        await until(lambda: it.clock.sleeping)
        assert it.clock.sleeping == 1
        it.clock.advance(SOON_S)
        await until(lambda: it.told == [("firing", "login-dead")])


async def test_quiet_hours_hold_back_what_is_not_urgent():
    async with watched(USED, DEAD, quiet=(0, 24 * 60)) as it:
        it.used(0.95)
        it.dies()
        await it.alerting.tick()
        await until(lambda: it.told == [("firing", "login-dead")])


async def test_looking_changes_nothing_of_the_pool():  # S21
    async with watched(USED, DEAD) as it:
        it.used(0.95)
        before = it.pool.snapshot(0.0)
        await it.alerting.tick()
        assert it.pool.snapshot(0.0) == before


async def test_a_message_holds_no_word_of_a_request_and_no_secret():
    async with watched(DEAD) as it:
        it.dies()
        await it.alerting.tick()
        await until(lambda: it.it.receiver.got)
        _, headers, body = it.it.receiver.got[0]
        assert headers.keys() <= {"host", "content-type", "content-length", "user-agent", "accept-encoding", "connection", "accept"}  # fmt: skip
        assert body["alerts"][0]["account"] == "a"


async def test_after_a_restart_nothing_is_told_again_and_an_end_still_is():
    memory = Memory()
    async with watched(USED) as it:
        it.alerting.remember(memory)
        it.used(0.95)
        await it.alerting.tick()
        await until(lambda: it.told)
        await it.alerting.tick()
        assert memory.saves == 1
    async with watched(USED) as it:
        it.alerting.remember(memory)
        it.used(0.95)
        await it.alerting.tick()
        it.rests()
        await it.alerting.tick()
        it.clock.advance(CALM_S)
        await it.alerting.tick()
        await until(lambda: it.told == [("resolved", "used")])


async def test_a_memory_that_cannot_be_read_or_written_costs_the_memory_alone(caplog):
    async with watched(USED) as it:
        memory = Memory({"version": 9})
        memory.broken = True
        it.alerting.remember(memory)
        it.used(0.95)
        await it.alerting.tick()
        await until(lambda: it.told == [("firing", "used")])
        assert "cannot be read" in caplog.text
        assert "cannot write" in caplog.text


async def test_errors_of_the_last_quarter_of_an_hour_count_and_older_ones_do_not():
    stats, ledger = Stats(), LedgerState()
    lately = Lately(stats, lambda: ledger)
    assert lately.numbers(0.0).answers == 0
    stats.requests, stats.client_errors = 50, {503: 10, 429: 5, 404: 20}
    stats.internal_errors, ledger = 2, LedgerState("full", 7)
    found = lately.numbers(60.0)
    assert (found.answers, found.errors, found.internal_errors) == (50, 15, 2)
    assert (found.ledger_trouble, found.ledger_lost) == ("full", 7)
    assert lately.numbers(LATELY_S).errors == 15
    assert lately.numbers(2 * LATELY_S).errors == 0
    assert lately.numbers(30.0).errors == 0  # the clock was set back


async def test_without_rules_nothing_is_looked_at_and_nothing_leaves():  # X12
    async with watched() as it:
        it.dies()
        await it.alerting.tick()
        Events(it.clock).subscribe(it.alerting.hear)
        assert it.alerting.report() == {"rules": 0, "firing": 0, "told": 0}
        assert not it.it.receiver.got


async def test_what_still_holds_is_listed_and_reminded_of():
    async with watched(USED, times=AlertTimes(remind_s=3600.0)) as it:
        it.used(0.95)
        await it.alerting.tick()
        (one,) = it.alerting.listed()
        assert (one["rule"], one["account"], one["about"], one["value"]) == (
            "used",
            "a",
            "7d",
            0.95,
        )
        it.clock.advance(3600.0)
        await it.alerting.tick()
        await until(lambda: it.told == [("firing", "used"), ("reminder", "used")])
