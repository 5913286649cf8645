"""The targets of a route as people are told of them: who could serve each now, and who not, and why.

Reads the pool and changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.core.decisions import Told
from maxpool.core.eligibility import Unavailable, check
from maxpool.core.reasons import NO_TARGET, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.choice import Choice
    from maxpool.core.routes import Part, Target
    from maxpool.core.routing import Asked


def targets(asked: Asked, choice: Choice | None) -> Iterator[Told]:
    """Every target of the route that a request names, with every account that is it."""
    route = asked.request.route
    for number, level in enumerate(() if route is None else route.asked()):
        for target in level.targets:
            found = False
            for part in level.parts:
                for one in _accounts(asked, part, target, number, choice):
                    found = True
                    yield one
            if not found:
                yield Told(label=target.label, level=number, model=target.model, account_id=None)


def _accounts(
    asked: Asked, part: Part, target: Target, level: int, choice: Choice | None
) -> Iterator[Told]:
    for account_id, state in asked.pool.states.items():
        if part.target_of(state.account) is not target:
            continue
        narrowed = replace(asked.request, model=target.model, route=None, part=None)
        block = check(state, narrowed, asked.now, asked.ctx)
        if account_id in asked.exclude:
            block = Unavailable(Reason.EXCLUDED)
        shut = block if isinstance(block, Unavailable) else None
        if shut is not None and shut.reason in NO_TARGET:
            continue  # another client's own login
        yield Told(
            label=target.label,
            level=level,
            model=target.model,
            account_id=account_id,
            chosen=choice is not None
            and choice.target is target
            and choice.state.account.id == account_id,
            reason=None if shut is None else shut.reason,
            until=None if shut is None else shut.until,
        )
