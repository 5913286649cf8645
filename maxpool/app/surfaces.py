"""The endpoints of one proxy, made of its services. Composition only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.adapters.process import local_utc_offset_s
from maxpool.adapters.processnumbers import process_numbers
from maxpool.app.live import live_pages
from maxpool.config.load import Loaded
from maxpool.service.models import ModelList
from maxpool.service.ownquestions import OwnQuestions
from maxpool.service.sets import SetDesk
from maxpool.web.admin import Admin
from maxpool.web.admin_alerts import AlertPages
from maxpool.web.admin_config import ConfigPages
from maxpool.web.admin_ledger import LedgerPages
from maxpool.web.admin_providers import ProviderPages
from maxpool.web.admin_sets import SetPages
from maxpool.web.application import Surfaces
from maxpool.web.browsers import SignIn
from maxpool.web.foreign import AnyFormat, Foreign, KeptNothing
from maxpool.web.messages import BodyLimits, Messages, Passthrough
from maxpool.web.metrics import MetricPages
from maxpool.web.models import Models
from maxpool.web.ownquestions import OwnQuestionPages
from maxpool.web.reported import Reported
from maxpool.web.resources import Resources
from maxpool.web.stats import StatsPages
from maxpool.web.status import StatusPages
from maxpool.wire.chat_answer import CHAT_SURFACE
from maxpool.wire.responses_answer import RESPONSES_SURFACE

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool


def surfaces_of(built: Maxpool) -> Surfaces:
    """Every endpoint of that proxy."""
    server, forwarder, pool, clock = built.config.server, built.forwarder, built.pool, built.clock
    bodies = BodyLimits(sent=server.max_body_bytes, decoded=server.max_body_decoded_bytes)
    flow = (forwarder, built.pulse, built.tasks, bodies)
    listing = ModelList(pool, built.upstream, built.tokens, clock, built.destinations)
    status = StatusPages(pool, built.stats, clock, built.facts)
    ledger = _ledger(built)
    events = live_pages(built, status, ledger)
    return Surfaces(
        messages=Messages(*flow),
        count_tokens=Messages(*flow, counts_tokens=True),
        chat=Foreign(*flow, surface=CHAT_SURFACE),
        responses=Foreign(*flow, surface=RESPONSES_SURFACE),
        any_format=AnyFormat(*flow),
        kept_nothing=KeptNothing(*flow, surface=RESPONSES_SURFACE),
        models=Models(listing, forwarder.router),
        resources=Resources(*flow),
        own_questions=OwnQuestionPages(OwnQuestions(pool, clock, built.upstream, built.logins)),
        status=status,
        metrics=MetricPages(pool, built.stats, clock, built.facts, process_numbers),
        events=events,
        stats=StatsPages(
            reader=built.books.views,
            pool=pool,
            stats=built.stats,
            clock=clock,
            offset_s=local_utc_offset_s,
        ),
        admin=Admin(
            built.operator,
            forwarder.traces,
            (
                _providers(built, listing),
                _sets(built),
                _config(built),
                ledger,
                _reported(built),
                AlertPages(built.alerting),
                SignIn(events.browsers),
            ),
            forwarder.router.asked,
        ),
        open_paths=tuple(server.allowed_paths),
        passthrough=Passthrough(*flow),
    )


def _providers(built: Maxpool, listing: ModelList) -> ProviderPages:
    return ProviderPages(
        operator=built.operator,
        listing=listing,
        warmer=built.probing.warmer,
        asked=built.forwarder.router.asked,
        names=built.forwarder.router.names,
    )


def _config(built: Maxpool) -> ConfigPages:
    def loaded() -> Loaded:
        return Loaded(config=built.roster.config, path=built.config_path)

    return ConfigPages(reloader=built.reloader, loaded=loaded)


def _ledger(built: Maxpool) -> LedgerPages:
    return LedgerPages(
        reader=built.books.views, pool=built.pool, clock=built.clock, offset_s=local_utc_offset_s
    )


def _reported(built: Maxpool) -> Reported:
    return Reported(operator=built.operator, ledger=built.books.ledger)


def _sets(built: Maxpool) -> SetPages:
    return SetPages(SetDesk(built.forwarder.router, built.waiting.wake))
