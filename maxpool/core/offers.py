"""The model index: which accounts offer a model, worked out when accounts change and not per request.

It holds the accounts that are served by what they offer (providers, and whoever has a model map: see
`core/lanes`); all others offer every model by its own name. Whether one of them can serve now is for
`core/eligibility` to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.routes import ANTHROPIC
from maxpool.core.targets import upstream_model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from maxpool.core.account import Account
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.routes import Part, Target
    from maxpool.core.state import AccountState

KEPT_MODELS = 4096
"""Names for which an answer is remembered; callers choose model names freely."""
KEPT_PARTS = 1024

NOBODY: frozenset[str] = frozenset()


@dataclass(slots=True)
class Offers:
    """Who offers what, by account id; forgets everything when an account changes."""

    states: dict[str, AccountState]
    stale: bool = True
    foreign: bool = True  # accounts of other vendors than Anthropic; True while that is not known
    exact: dict[str, list[str]] = field(default_factory=dict)
    patterned: list[str] = field(default_factory=list)  # accounts with patterns, or without any map
    providers: dict[str, list[str]] = field(default_factory=dict)  # of every account
    models: dict[str, frozenset[str]] = field(default_factory=dict)
    parts: dict[Part, Mapping[str, Target]] = field(default_factory=dict)

    def changed(self) -> None:
        """An account came, went or is another one."""
        self.stale = self.foreign = True

    def are_foreign(self) -> bool:
        """Whether there are accounts of other vendors than Anthropic."""
        if self.stale:
            self._renew()
        return self.foreign

    def of(self, request: LeaseRequest) -> Collection[str]:
        """Ids of the accounts that could be asked for what is being weighed.

        Without a part only those that stand in mixed lanes count: all others are sorted by their lanes.
        """
        if self.stale:
            self._renew()
        return self._offering(request.model) if request.part is None else self.members(request.part)

    def members(self, part: Part) -> Mapping[str, Target]:
        """The accounts that are targets of a part and offer what they would be asked for, by id."""
        if self.stale:
            self._renew()
        found = self.parts.get(part)
        if found is None:
            if len(self.parts) >= KEPT_PARTS:
                self.parts.clear()
            found = self.parts[part] = dict(self._members(part))
        return found

    def _offering(self, model: str) -> frozenset[str]:
        found = self.models.get(model)
        if found is None:
            if len(self.models) >= KEPT_MODELS:
                self.models.clear()
            named = [a for a in self.patterned if self._offers(self.states[a].account, model)]
            found = self.models[model] = frozenset([*self.exact.get(model, ()), *named])
        return found

    def _members(self, part: Part) -> Iterator[tuple[str, Target]]:
        named = [a for a in part.by_account if a in self.states]
        by_provider = [a for name in part.by_provider for a in self.providers.get(name, ())]
        for account_id in self.states if part.every is not None else [*named, *by_provider]:
            account = self.states[account_id].account
            target = part.target_of(account)
            if target is not None and self._offers(account, target.model):
                yield account_id, target

    @staticmethod
    def _offers(account: Account, model: str) -> bool:
        return upstream_model(account.models, model) is not None

    def _renew(self) -> None:
        self.stale = self.foreign = False
        for kept in (self.exact, self.patterned, self.providers, self.models, self.parts):
            kept.clear()
        for account_id, state in self.states.items():
            account = state.account
            self.providers.setdefault(account.provider, []).append(account_id)
            self.foreign = self.foreign or account.provider != ANTHROPIC
            if not mixed(account):
                continue
            if not account.models or any("*" in name for name in account.models):
                self.patterned.append(account_id)
            else:
                for name in account.models:
                    self.exact.setdefault(name, []).append(account_id)


def mixed(account: Account) -> bool:
    """Whether accounts like this one are many and each different: their lanes hold whatever costs alike."""
    return bool(account.models) or account.kind == "provider"
