"""Outcomes in which an account answered and turned the request down: nobody is to blame.

Values only; what the request does next is `service/retry`'s.
"""

from __future__ import annotations

from typing import Final

from maxpool.core.values import value


@value(frozen=True, slots=True)
class RequestRejected:
    """The request itself is at fault; `retry_other` where one other account may see it otherwise."""

    status: int
    retry_other: bool = False


@value(frozen=True, slots=True)
class ContextExceeded:
    """The request is longer than what that model takes: a model that takes more may be asked."""

    status: int


@value(frozen=True, slots=True)
class PolicyRefused:
    """The vendor's policy forbids it: that is the answer, and nobody else is asked."""

    status: int


@value(frozen=True, slots=True)
class NotCarried:
    """The account's API has no place for what the request holds (`what`): nothing was sent to it."""

    what: str
    status: int = 400


OF_THE_REQUEST: Final = (RequestRejected, ContextExceeded, PolicyRefused, NotCarried)
"""All of these; the answer belongs to whoever asked."""
