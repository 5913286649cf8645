"""Quota groups: accounts whose answers come from one organisation, and what they have in common.

API keys of one organisation share its rate buckets, quota windows and spend limit: what one of them
is told holds for all. Plans of one organisation are a team's, each with a quota of its own, unless
their windows are the same ones: then one login is here twice. Logins, networks and models stay
everybody's own. Knows accounts by what their answers said, never by what their owner wrote.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.eligibility import Reason
from maxpool.core.quota import ACCOUNT_WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.account import Account
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState

HEADER = "anthropic-organization-id"
MAX_CHARS = 128
"""A longer name of an organisation is none."""
MIXED = ""
"""One credential was answered for by several organisations (a gateway's, say): it is in no group."""
SHARING_KIND = "api_key"
READING_STEP = 0.02
"""Two readings of one window, each rounded to 0.01, may contradict their order by this much."""


@dataclass(slots=True)
class Groups:
    """Who is of which organisation."""

    states: dict[str, AccountState]
    members: dict[str, list[str]] = field(default_factory=dict)

    def tell(self, state: AccountState, organization: str) -> bool:
        """An answer for an account named its organisation; True when that is news."""
        if organization == state.organization:
            return False
        name = organization.strip()
        if not name or len(name) > MAX_CHARS or name == state.organization:
            return False
        same_login = state.organization_since == state.credential.generation
        if state.organization is not None and same_login:
            if state.organization == MIXED:
                return False
            name = MIXED
        self.join(state, name, state.credential.generation)
        return True

    def join(self, state: AccountState, organization: str, since: int) -> None:
        """Put an account into its group; it takes over what holds there.

        `since`: with which login of the account that was seen.
        """
        self.leave(state)
        state.organization, state.organization_since = organization, since
        if organization == MIXED:
            return
        self.members.setdefault(organization, []).append(state.account.id)
        for mate in self.mates(state):
            _take_over(state, mate)

    def leave(self, state: AccountState) -> None:
        """An account is removed, moves, or turns out to be another organisation's."""
        if not state.organization:
            return
        members = self.members[state.organization]
        members.remove(state.account.id)
        if not members:
            del self.members[state.organization]
        state.organization = None
        state.quota.buckets = dict(state.quota.buckets)

    def mates(self, state: AccountState) -> Iterator[AccountState]:
        """The accounts that share an account's limits, without itself."""
        if not state.organization or state.account.kind != SHARING_KIND:
            return
        for account_id in self.members[state.organization]:
            mate = self.states[account_id]
            if mate is not state and source(mate.account) == source(state.account):
                yield mate

    def twins(self, now: float, settings: PoolSettings) -> dict[str, str]:
        """Plans that are another one's login over again: id -> id of the first of them."""
        found: dict[str, str] = {}
        for ids in self.members.values():
            if len(ids) < 2:
                continue
            plans = [self.states[i] for i in ids if not self.states[i].account.paid]
            plans.sort(key=lambda s: (not s.enabled, s.position))
            for i, state in enumerate(plans):
                first = next((p for p in plans[:i] if _same_plan(p, state, now, settings)), None)
                if first is not None:
                    first_id = first.account.id
                    found[state.account.id] = found.get(first_id, first_id)
        return found


def source(account: Account) -> tuple[str, ...]:
    """Whose word tells an account's organisation; nobody's word tells of accounts elsewhere."""
    return (account.kind, account.provider, account.upstream)


def _take_over(state: AccountState, mate: AccountState) -> None:
    """What is known to hold for one of a group holds for a newcomer."""
    state.quota.buckets = mate.quota.buckets  # one map for all of them, kept fresh by any
    closed = mate.quota.bucket_closed_until
    if closed is not None:
        state.quota.close_buckets(closed, by_us=mate.quota.bucket_closed_by_us)
    spend = mate.cooldowns.get(Reason.SPEND_LIMIT)
    if spend is not None:
        state.cool(Reason.SPEND_LIMIT, spend)


def _same_plan(one: AccountState, other: AccountState, now: float, settings: PoolSettings) -> bool:
    """Whether two plans show the same windows: equal resets, and use that only grows."""
    shared = 0
    for name in ACCOUNT_WINDOWS:
        mine, theirs = one.quota.windows.get(name), other.quota.windows.get(name)
        if mine is None or theirs is None or mine.expired(now) or theirs.expired(now):
            continue
        if mine.reset_at is None or theirs.reset_at is None:
            continue
        if abs(mine.reset_at - theirs.reset_at) > settings.reset_jitter_s:
            return False
        early, late = sorted((mine, theirs), key=lambda w: w.read_at or 0.0)
        if (late.utilization or 0.0) < (early.utilization or 0.0) - READING_STEP:
            return False
        shared += name == "7d"
    return shared > 0
