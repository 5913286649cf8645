"""Whether a request fits into the context of the model that an account would use for it.

Sizes are the request's own estimate plus what it lets the answer have; a service that is never asked
for longer answers than `Account.max_output_tokens` needs no more room than that. An account that says
nothing of its models takes every size: its upstream is the judge then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.core.targets import matching, upstream_model

if TYPE_CHECKING:
    from maxpool.core.account import Account
    from maxpool.core.lease import LeaseRequest

Room = tuple[int, int | None]
"""A context in tokens, and the longest answer ever asked for there."""


def rooms_of(account: Account) -> frozenset[Room]:
    """All rooms that an account has for requests, whatever their model."""
    return frozenset((tokens, account.max_output_tokens) for tokens in account.context.values())


def outgrows(request: LeaseRequest, room: Room) -> bool:
    """Whether the request is too large for it."""
    tokens, longest = room
    answer = request.max_output_tokens or 0
    return request.input_tokens + (answer if longest is None else min(answer, longest)) > tokens


def too_large(account: Account, request: LeaseRequest, model: str) -> bool:
    """Whether it is too large for what this account has under that name."""
    sent = upstream_model(account.models, model)
    tokens = None if sent is None else matching(account.context, sent)
    return tokens is not None and outgrows(request, (tokens, account.max_output_tokens))


def sized(request: LeaseRequest, rooms: frozenset[Room]) -> LeaseRequest:
    """The request with the rooms it outgrows: of two that wait, size may tell whom they wait for."""
    beyond = frozenset(room for room in rooms if outgrows(request, room))
    return request if beyond == request.beyond else replace(request, beyond=beyond)
