"""`x-maxpool-account: NAME`: a caller that wants one account and no other.

It can only narrow (claim X9): the account must be able to serve this request anyway. A name that
nobody has is refused; ignoring it would hand out what its caller ruled out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from maxpool.core.account import HOME
from maxpool.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool

HEADER: Final = "x-maxpool-account"


def narrowed(request: LeaseRequest, fields: Mapping[str, str], pool: Pool) -> LeaseRequest:
    """The request as it may be served; raises `RequestError` where its caller names no such account.

    `fields`: lower-case header names. The account is named by its id or by its unique name.
    """
    wanted = fields.get(HEADER)
    if wanted is None:
        return request
    found = [wanted] if wanted in pool.states else _named(pool, wanted)
    if len(found) != 1:
        what = "Several accounts are" if found else "No account is"
        hint = "name it by its id" if found else "maxpool accounts lists them"
        raise RequestError(404, "not_found_error", f"{what} called {wanted[:80]!r}: {hint}.")
    if pool.states[found[0]].account.kind == HOME:
        hint = f"maxpool run --home --account {wanted[:80]}"
        raise RequestError(
            404,  # clients send a 400 again, up to six times
            "not_found_error",
            f"{wanted[:80]!r} is a home and serves nothing here: {hint}",
        )
    return replace(request, owner=found[0], owner_chosen=True)


def _named(pool: Pool, name: str) -> list[str]:
    return [i for i, state in pool.states.items() if state.account.name == name]
