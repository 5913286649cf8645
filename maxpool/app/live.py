"""The live feed of one proxy, and who may sign in to it from a browser. Composition only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from maxpool.adapters.chance import SystemChance
from maxpool.service.feed import Feed, FeedLimits
from maxpool.web.browsers import Browsers
from maxpool.web.events import EventPages
from maxpool.web.live import Live

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool
    from maxpool.service.events import Event
    from maxpool.web.status import StatusPages

UNSEEN: Final = frozenset({"login_dead", "login_renewed", "ledger_trouble", "ledger_mended"})
"""Kinds of events that no part of the picture shows."""


def live_pages(built: Maxpool, status: StatusPages) -> EventPages:
    """`/events` over that proxy; its feed is kept for the end, when listeners are sent away."""
    built.feed = Feed(
        look=Live(document=status.document, pool=built.pool, traces=built.forwarder.traces),
        limits=lambda: _limits(built),
        clock=built.clock,
        tasks=built.tasks,
    )
    built.books.events.subscribe(lambda event: _pass_on(built.feed, event))
    browsers = Browsers(built.admin_digest, built.clock, SystemChance().token)
    return EventPages(built.feed, browsers)


def _pass_on(feed: Feed, event: Event) -> None:
    """An event to all who listen; what changes the picture they see there."""
    if event.kind in UNSEEN:
        text = f"{event.name}: {event.kind.replace('_', ' ')}".removeprefix(": ")
        told = {"at": event.at, "kind": event.kind, "account": event.account, "text": text}
        feed.tell("event", {**told, "detail": ", ".join(map(str, event.detail.values()))})


def _limits(built: Maxpool) -> FeedLimits:
    """As the config says now: the next one to come is measured by it."""
    server = built.roster.config.server
    return FeedLimits(
        listeners=server.max_listeners, per_address=server.max_listeners_per_address
    )
