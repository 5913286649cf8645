"""The endpoints of one proxy, made of its services. Composition only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.service.models import ModelList
from maxpool.service.ownquestions import OwnQuestions
from maxpool.web.admin import Admin
from maxpool.web.application import Surfaces
from maxpool.web.messages import BodyLimits, Messages, Passthrough
from maxpool.web.models import Models
from maxpool.web.ownquestions import OwnQuestionPages
from maxpool.web.resources import Resources
from maxpool.web.status import StatusPages

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool


def surfaces_of(built: Maxpool) -> Surfaces:
    """Every endpoint of that proxy."""
    server, forwarder, pool, clock = built.config.server, built.forwarder, built.pool, built.clock
    bodies = BodyLimits(sent=server.max_body_bytes, decoded=server.max_body_decoded_bytes)
    flow = (forwarder, built.pulse, built.tasks, bodies)
    listing = ModelList(pool, built.upstream, built.tokens, clock, built.destinations)
    return Surfaces(
        messages=Messages(*flow),
        count_tokens=Messages(*flow, counts_tokens=True),
        models=Models(listing),
        resources=Resources(*flow),
        own_questions=OwnQuestionPages(OwnQuestions(pool, clock, built.upstream, built.logins)),
        status=StatusPages(pool, built.stats, clock, built.facts),
        admin=Admin(built.operator, forwarder.traces),
        open_paths=tuple(server.allowed_paths),
        passthrough=Passthrough(*flow),
    )
