"""The alerts of one proxy, made of its parts, and what the config says of them. Composition only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool import __version__
from maxpool.adapters.appriseposts import post_by_apprise
from maxpool.adapters.process import local_utc_offset_s
from maxpool.core.alerts import AlertTimes
from maxpool.service.alerting import LOOK_EVERY_S, Alerting, AlertSettings, Lately, LedgerState
from maxpool.service.delivery import Delivery

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool
    from maxpool.config.model import Config


def alerting_of(built: Maxpool) -> Alerting:
    """Alerts over that proxy; nothing is looked at yet."""

    def ledger() -> LedgerState:
        books = built.books.ledger
        report = books.report() if books is not None else None
        return LedgerState() if report is None else LedgerState(report.trouble, report.lost)

    delivery = Delivery(
        built.upstream,
        built.secrets,
        built.clock,
        built.tasks,
        post_by_apprise,
        version=__version__,
    )
    alerting = Alerting(
        pool=built.pool,
        clock=built.clock,
        tasks=built.tasks,
        lately=Lately(built.stats, ledger),
        delivery=delivery,
        utc_offset_s=local_utc_offset_s,
    )
    alerting.follow(alert_settings(built.config))
    built.books.events.subscribe(alerting.hear)
    return alerting


def start(built: Maxpool) -> None:
    """Begin, with the server."""
    built.timers.every(LOOK_EVERY_S, "alerts", built.alerting.tick)


def alert_settings(config: Config) -> AlertSettings:
    """What the config says of alerts."""
    told = config.alerts
    return AlertSettings(
        rules=told.for_core(),
        targets=dict(told.targets or {}),
        times=AlertTimes(remind_s=told.remind_s, gap_s=told.gap_s),
        quiet=told.quiet(),
    )
