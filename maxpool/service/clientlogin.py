"""The clients' own logins: accounts that come with the requests which only they may serve.

A client that is signed in by itself sends its own OAuth bearer. That is forwarded as it came and
known here by its fingerprint alone: no bearer is kept, so no request can be served by another's.
Where they all go is bound like an account's origin: another one waits for its owner's word.
What is learned of such an account is the pool's, as for any other; choosing is, too.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from maxpool.config.account import CLAUDE_CODE
from maxpool.config.identity import OWN_LOGINS
from maxpool.core.account import CLIENT, Account
from maxpool.core.lease import OwnLogin
from maxpool.errors import RequestError
from maxpool.ports import Destination
from maxpool.service.origins import origin_of
from maxpool.wire.credential import fingerprint
from maxpool.wire.headers import own_login

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.config.model import Config
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool
    from maxpool.service.origins import Origins

log = logging.getLogger("maxpool")

PRIORITIES: Final = {"first": -1_000_001, "last": 1_000_001}
"""Before and behind every priority that the config can hold."""

FORGET_AFTER_S: Final = 7 * 86_400.0
"""Nothing that is known of a login lasts longer than its longest quota window."""

NOBODY: Final = ""
"""The account of a login that could not be kept: the request may spill over, and no more."""

ORIGIN: Final = "client:"
"""Where clients' logins go, among the bound origins; no account's id has a colon."""

_PREFIX: Final = "client-"
_ID: Final = re.compile(rf"{_PREFIX}[0-9a-f]{{8}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the owner says of clients' own logins. `base_url`: the only place they ever go to."""

    order: str = "off"
    spill: frozenset[str] = frozenset()
    most: int = 64
    base_url: str = ""


@dataclass(slots=True)
class Login:
    """A client's login. `digest`: of its bearer, None after a restart; `follows`: see `answered`."""

    account_id: str
    used_at: float
    digest: bytes | None = None
    follows: str | None = None


@dataclass(slots=True)
class ClientLogins:
    """The logins seen lately, the longest unused first; bounded.

    `destination`: where they go; None while they go nowhere. `kept_back`: why, if they should.
    """

    pool: Pool
    policy: Policy
    origins: Origins
    started_at: float
    logins: OrderedDict[str, Login] = field(default_factory=OrderedDict)
    destination: Destination | None = None
    kept_back: str = ""

    def __post_init__(self) -> None:
        for account_id, state in self.pool.states.items():
            if state.account.kind == CLIENT:  # remembered from before the start
                self.logins[account_id] = Login(account_id, self.started_at)
        self.follow(self.policy)

    def own(self, request: LeaseRequest, fields: Mapping[str, str], now: float) -> LeaseRequest:
        """The request with the login it brought along, if that counts; `fields`: its headers."""
        if self.policy.order == "off" or request.program != CLAUDE_CODE:
            return request
        bearer = own_login(fields)
        if bearer is None:
            return request
        if self.destination is None:
            return self._without(request)
        login = self._seen(bearer, request, now)
        account_id = NOBODY if login is None else login.account_id
        return replace(request, own=OwnLogin(account_id, self.policy.spill))

    def answered(self, account_id: str, now: float) -> None:
        """The upstream took a login. One that its client has refreshed is the same under a new name.

        The session told which one it may follow; the organisation tells whether it does.
        """
        login = self.logins.get(account_id)
        earlier = self.logins.get(login.follows or NOBODY) if login is not None else None
        organization = self.pool.states[account_id].organization if earlier is not None else None
        if login is None or earlier is None or not organization:
            return
        login.follows = None
        if self.pool.states[earlier.account_id].organization == organization:
            self.pool.succeed(earlier.account_id, account_id, now)
            self.pool.owners.succeed(earlier.account_id, account_id)
            if self._idle(earlier):
                self._forget(earlier, now)

    def clock_stepped(self, by_s: float, _now: float) -> None:
        """The wall clock was set: nobody has stayed away for longer or shorter by that."""
        for login in self.logins.values():
            login.used_at += by_s

    def follow(self, policy: Policy) -> list[Account]:
        """Go by another policy; the accounts that stay, as they are under it."""
        self.policy = policy
        if policy.order == "off":
            self.logins.clear()
            self.origins.locked.discard(ORIGIN)
            self.destination, self.kept_back = None, ""
        else:
            self._bind()
        return [account_of(account_id, policy) for account_id in self.logins]

    def confirm(self) -> None:
        """Its owner says that they may go where `[upstream] base_url` leads now."""
        if self.policy.order != "off":
            self._bind(frozenset({ORIGIN}))

    def notices(self) -> tuple[str, ...]:
        """What the status page says of them."""
        return (f"Clients' own logins are kept back: {self.kept_back}.",) if self.kept_back else ()

    def _bind(self, confirmed: frozenset[str] = frozenset()) -> None:
        there = Destination(base_url=self.policy.base_url, auth_header="none")
        self.destination, before, self.kept_back = there, self.kept_back, ""
        for moved in self.origins.bind({ORIGIN: there}, confirmed):
            if moved.old != moved.new:
                self.logins.clear()  # what is known of them was told by another upstream
            if moved.locks:
                self.destination = None
                self.kept_back = (
                    f"[upstream] base_url changed from {moved.old} to {moved.new}: confirm that with "
                    f"`maxpool accounts confirm {OWN_LOGINS}` before they go there"
                )
        if self.kept_back not in ("", before):
            log.warning("clients' own logins are kept back: %s", self.kept_back)

    def _without(self, request: LeaseRequest) -> LeaseRequest:
        """A request whose login goes nowhere now: others may help out, as far as they may at all."""
        spill = self.policy.spill
        if any(state.account.kind in spill for state in self.pool.states.values()):
            return replace(request, own=OwnLogin(NOBODY, spill))
        message = f"Your own login is kept back: {self.kept_back}."
        raise RequestError(403, "permission_error", message)

    def _seen(self, bearer: str, request: LeaseRequest, now: float) -> Login | None:
        account_id, digest = _PREFIX + fingerprint(bearer), sha256(bearer.encode()).digest()
        login = self.logins.get(account_id) or self._new(account_id, request, now)
        if login is None or login.digest not in (None, digest):
            return None  # no room, or another bearer that looks like a known one
        login.digest, login.used_at = digest, now
        self.logins.move_to_end(account_id)
        return login

    def _new(self, account_id: str, request: LeaseRequest, now: float) -> Login | None:
        self._make_room(now)
        if len(self.logins) >= self.policy.most or account_id in self.pool.states:
            return None
        binding = self.pool.bindings.find(request.session, now)
        served = (binding.home, *binding.warm) if binding is not None else ()
        earlier = next((known for known in served if known in self.logins), None)
        self.logins[account_id] = Login(account_id, now, follows=earlier)
        self.pool.add(account_of(account_id, self.policy), now)
        return self.logins[account_id]

    def _make_room(self, now: float) -> None:
        """Forget who has not come for long, and the longest unused while there are too many."""
        for login in list(self.logins.values()):
            full = len(self.logins) >= self.policy.most
            if not full and now - login.used_at < FORGET_AFTER_S:
                return
            if self._idle(login):
                self._forget(login, now)

    def _idle(self, login: Login) -> bool:
        state = self.pool.states.get(login.account_id)
        return state is None or not state.in_flight

    def _forget(self, login: Login, now: float) -> None:
        del self.logins[login.account_id]
        self.pool.remove(login.account_id, now)


def policy_of(config: Config) -> Policy:
    """What the config says of clients' own logins."""
    return Policy(
        order=config.pool.client_login,
        spill=frozenset(config.pool.spill),
        most=config.pool.max_client_logins,
        base_url=config.upstream.base_url.rstrip("/").removesuffix("/v1"),
    )


def account_of(account_id: str, policy: Policy) -> Account:
    """The account that stands for a client's login."""
    return Account(
        id=account_id,
        name=f"client {account_id.removeprefix(_PREFIX)}",
        kind=CLIENT,
        priority=PRIORITIES[policy.order],
        serves=frozenset({CLAUDE_CODE}),
    )


def remembered(saved: Mapping[str, Any], policy: Policy, taken: frozenset[str]) -> list[Account]:
    """The clients' logins that a saved state knows something of; `taken`: ids of other accounts."""
    accounts, bound = saved.get("accounts"), saved.get("origins")
    if policy.order == "off" or not isinstance(accounts, dict) or not isinstance(bound, dict):
        return []
    if bound.get(ORIGIN) != origin_of(policy.base_url):
        return []
    known = [
        account_id
        for account_id, told in accounts.items()
        if _ID.fullmatch(account_id)
        and account_id not in taken
        and isinstance(told, dict)
        and told.get("windows")
    ]
    return [account_of(account_id, policy) for account_id in known[-policy.most :]]
