"""The live feed of one proxy, and who may sign in to it from a browser. Composition only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.adapters.chance import SystemChance
from maxpool.service.feed import Feed, FeedLimits
from maxpool.web.browsers import Browsers
from maxpool.web.events import EventPages
from maxpool.web.live import Live, happened

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool
    from maxpool.web.admin_ledger import LedgerPages
    from maxpool.web.status import StatusPages


def live_pages(built: Maxpool, status: StatusPages, ledger: LedgerPages) -> EventPages:
    """`/events` over that proxy; its feed is kept for the end, when listeners are sent away."""
    events = built.books.events
    live = Live(
        document=status.document,
        pool=built.pool,
        traces=built.forwarder.traces,
        events=events,
        clock=built.clock,
    )
    feed = built.feed = Feed(
        look=live,
        fresh=live.fresh,
        limits=lambda: _limits(built),
        clock=built.clock,
        tasks=built.tasks,
    )
    events.subscribe(lambda event: feed.tell("event", happened(event)))
    browsers = Browsers(built.admin_digest, built.clock, SystemChance().token)
    return EventPages(feed, browsers, ledger)


def _limits(built: Maxpool) -> FeedLimits:
    """As the config says now: the next one to come is measured by it."""
    server = built.roster.config.server
    return FeedLimits(listeners=server.max_listeners, per_address=server.max_listeners_per_address)
