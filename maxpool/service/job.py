"""`Job`: one request as it came, on its way through the services. A value, no more."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from maxpool.core.values import value

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest
    from maxpool.ports import RawHeaders
    from maxpool.wire.translation import Surface


Tells = Literal["message", "thread", "resource", "list", "nothing"]
"""What its answer tells of things that an account holds from now on; see `service/owning`."""


@value(frozen=True, slots=True, kw_only=True)
class Job:
    """A request as it came: `target` is path and query as the caller wrote them.

    `named`: the batches, files, containers and threads it names; `seeks`: whose they are, nobody knows.
    `origin`: under which the caller reaches this server. `surface`: the API that it speaks, None for
    Messages; then `body` is its request as a Messages request, and `asked` what it wrote, decoded.
    """

    method: str
    target: str
    headers: RawHeaders = field(repr=False)
    body: bytes = field(repr=False)
    request: LeaseRequest
    request_id: str
    streaming: bool
    counts_tokens: bool = False
    opaque: bool = False  # nothing is known of its answer's form
    once: bool = False  # it may create something: never sent again once a byte went out
    looks: bool = False  # only at what an account holds already, which takes none of its quota
    named: tuple[str, ...] = ()
    seeks: bool = False
    tells: Tells = "nothing"
    origin: str = ""
    surface: Surface | None = None
    asked: bytes = field(default=b"", repr=False)

    @property
    def asks_model(self) -> bool:
        """Whether it is a model call; all else tells of things that are held, or of nothing known."""
        return not self.opaque and self.tells not in ("resource", "list")

    def by_own_login(self, account_id: str) -> bool:
        """Whether that account is the client's own login, whose bearer came with this very request."""
        own = self.request.own
        return own is not None and own.account_id == account_id
