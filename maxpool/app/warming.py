"""The warmer of a running proxy: made of its parts, and of what `[prewarm]` says.

Composition only; the rules are in `core/warmth` and `service/warming`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.config import derive, environment
from maxpool.core.targets import upstream_model
from maxpool.core.warmth import MAX_FOCUS, Warmth
from maxpool.service.warming import KINDS, Question, Warmer
from maxpool.wire.apiroot import models_url, requests_url

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool
    from maxpool.config.model import Config
    from maxpool.core.warmth import Target

WARM_TICK_S = 1.0
"""How often it is looked whether a check is due; they are seconds to minutes apart."""


def warmer_of(built: Maxpool) -> Warmer:
    """A warmer that goes by the config as it is now."""
    found = Warmer(
        pool=built.pool,
        upstream=built.upstream,
        tokens=built.tokens,
        clock=built.clock,
        tasks=built.tasks,
        destinations=built.destinations,
        warmth=Warmth(mode=built.config.prewarm.mode),
        resolve=lambda name: targets_of(built, name),
    )
    adjust(found, built.config, built.config)
    return found


def adjust(warmer: Warmer, config: Config, before: Config) -> None:
    """Go by this config from now on; a mode set by hand holds until the config says another one."""
    given = config.prewarm
    warmer.questions = questions_of(config)
    warmer.focus = focus_of(config)
    warmer.timeout_s = given.timeout_s
    warmer.warmth.quiet_s = given.quiet_after_s
    if given.mode != before.prewarm.mode:
        warmer.warmth.switch(given.mode, warmer.clock.now())
    warmer.follow()


def targets_of(built: Maxpool, name: str) -> list[Target] | None:
    """The accounts an alias or a set names, with the model each knows; None for a model's own name."""
    route = built.forwarder.router.asked(name).get("route")
    if route is None:
        return None
    accounts = [state.account for state in built.pool.states.values()]
    return [
        (account.id, upstream_model(account.models, target.model) or target.model)
        for account in accounts
        for target in route.targets_of(account)
    ]


def focus_of(config: Config) -> tuple[str, ...]:
    """The models to keep warm, as the environment says, else the config; none = the most used ones."""
    named = environment.focus_models()
    return (named or config.prewarm.focus)[:MAX_FOCUS]


def questions_of(config: Config) -> dict[str, Question]:
    """Where each account that may be checked is asked, by account id."""
    return {
        entry.stable_id: Question(
            free_url=models_url(derive.base_url(config, entry), entry.format),
            message_url=requests_url(derive.base_url(config, entry), entry.format),
            format=entry.format,
        )
        for entry in config.accounts
        if entry.kind in KINDS
    }
