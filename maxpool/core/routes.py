"""Routes: for what one name stands, as values. A target is a model and who may serve it.

A route has levels, tried one after the other; a level has parts, each of which names at most one model
for an account, so that all accounts of a part are weighed at once. Nothing here chooses (that is
`core/routing`) and nothing resolves a name (`core/targets`).
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - hints of values are read at run time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from maxpool.core.account import Account
    from maxpool.core.lease import LeaseRequest

Cross = Literal["never", "when-exhausted", "always"]

CLAUDE = "claude"
ANTHROPIC = "anthropic"

STRATEGIES = ("cost", "ordered", "round-robin", "weighted", "least-used", "sticky", "fastest")
"""How a route chooses among the targets of a level."""


@dataclass(frozen=True, slots=True)
class Target:
    """A model, and who may serve it: one account (by id), one provider's accounts, or whoever offers it.

    `weight`: its share where a strategy deals out turns. `label`: as its owner wrote it. `mapped`: of
    whoever offers it only those whose model maps do, since some account's map names it.
    """

    model: str
    account: str | None = None
    provider: str | None = None
    weight: float = 1.0
    label: str = ""
    mapped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Targets among which the pool chooses at once: for each account at most one of them.

    `lead`: one of the models, which stands for all: they are of one price. `provider`: nobody else's
    accounts, whatever the targets say.
    """

    lead: str
    by_account: Mapping[str, Target] = field(default_factory=dict)
    by_provider: Mapping[str, Target] = field(default_factory=dict)
    every: Target | None = None
    provider: str | None = None

    def target_of(self, account: Account) -> Target | None:
        """What this account would be asked for; None where it is no target."""
        if self.provider is not None and account.provider != self.provider:
            return None
        found = self.by_account.get(account.id)
        if found is None and self.by_provider:
            found = self.by_provider.get(account.provider)
        if found is None and (found := self.every) is not None and found.mapped:
            return found if account.models else None
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """Targets of one rank: `parts` hold the same targets, as the route's strategy needs them."""

    targets: tuple[Target, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Everything a name stands for. Two routes are the same only if they are one object.

    `home`: whose models the name is one of, where that is known; `at_home`: the levels without anybody
    else's accounts, `cross` says when those may serve.
    """

    name: str
    levels: tuple[Level, ...]
    strategy: str = "cost"
    cross: Cross = "always"
    home: str | None = None
    at_home: tuple[Level, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets, in the order of their levels."""
        return tuple(target for level in self.levels for target in level.targets)

    def asked(self) -> tuple[Level, ...]:
        """The levels that may serve at all."""
        return self.at_home if self.cross == "never" and self.home is not None else self.levels

    def targets_of(self, account: Account) -> Iterator[Target]:
        """The targets that an account is, best first, each model once."""
        seen: set[str] = set()
        for level in self.asked():
            for part in level.parts:
                target = part.target_of(account)
                if target is not None and target.model not in seen:
                    seen.add(target.model)
                    yield target

    def as_seen_by(self, account: Account, request: LeaseRequest) -> Iterator[LeaseRequest]:
        """The request as it would be for an account: once for each model it may be asked for."""
        for target in self.targets_of(account):
            yield replace(request, model=target.model, route=None, part=None)


def home_of(model: str) -> str | None:
    """Whose model a name is, where names tell that."""
    name = model.rpartition("/")[2]
    return ANTHROPIC if name.startswith(CLAUDE) else None


def level_of(
    targets: Sequence[Target],
    strategy: str,
    price: Callable[[str], float],
    provider: str | None = None,
) -> Level:
    """A level of these targets; `price` of a model, relative to others; `provider`: only its accounts.

    For the pool's own cost all targets of one price are one part, for any other strategy each is its own.
    """
    if strategy != "cost":
        return Level(tuple(targets), tuple(_part([one], provider) for one in targets))
    by_price: dict[float, list[Target]] = {}
    for target in targets:
        by_price.setdefault(price(target.model), []).append(target)
    parts = (part for alike in by_price.values() for part in _parts(alike, provider))
    return Level(tuple(targets), tuple(parts))


def _parts(targets: Iterable[Target], provider: str | None) -> Iterator[Part]:
    """As few parts as there are models for one account; those for named accounts, for a provider's,
    and for anybody are kept apart, since one account may be all three.
    """
    rows: dict[tuple[str, int], list[Target]] = {}
    seen: dict[tuple[str, str], int] = {}
    for target in targets:
        kind, who = _who(target)
        row = seen[kind, who] = seen.get((kind, who), -1) + 1
        rows.setdefault((kind, row), []).append(target)
    return (_part(alike, provider) for alike in rows.values())


def _who(target: Target) -> tuple[str, str]:
    if target.account is not None:
        return ("account", target.account)
    return ("provider", target.provider) if target.provider is not None else ("every", "")


def _part(targets: Sequence[Target], provider: str | None) -> Part:
    anybody = (t for t in targets if t.account is None and t.provider is None)
    return Part(
        targets[0].model,
        {t.account: t for t in targets if t.account is not None},
        {t.provider: t for t in targets if t.account is None and t.provider is not None},
        next(anybody, None),
        provider,
    )


def route_of(
    name: str,
    levels: Iterable[Sequence[Target]],
    *,
    strategy: str = "cost",
    cross: Cross = "always",
    price: Callable[[str], float] = lambda _: 1.0,
) -> Route:
    """A route of these levels of targets; levels without any are left out."""
    filled = [level for level in levels if level]
    home = home_of(name) if cross != "always" else None
    at_home = () if home is None else (level_of(one, strategy, price, home) for one in filled)
    whole = (level_of(one, strategy, price) for one in filled)
    return Route(name, tuple(whole), strategy, cross, home, tuple(at_home))


@lru_cache(maxsize=256)
def without(route: Route, account_id: str, provider: str, model: str) -> Route:
    """The route without that model of that vendor's; the same object for the same question."""

    def kept(target: Target) -> bool:
        return (
            target.model != model
            or target.account not in (None, account_id)
            or target.provider not in (None, provider)
        )

    def left(levels: Iterable[Level]) -> tuple[Level, ...]:
        found = (_only(level, kept) for level in levels)
        return tuple(level for level in found if level.targets)

    return replace(route, levels=left(route.levels), at_home=left(route.at_home))


def _only(level: Level, kept: Callable[[Target], bool]) -> Level:
    """A level with these targets alone; parts of which nothing is left are left out."""
    parts = (
        replace(
            part,
            by_account={who: t for who, t in part.by_account.items() if kept(t)},
            by_provider={who: t for who, t in part.by_provider.items() if kept(t)},
            every=part.every if part.every is not None and kept(part.every) else None,
        )
        for part in level.parts
    )
    filled = tuple(p for p in parts if p.by_account or p.by_provider or p.every is not None)
    return Level(tuple(filter(kept, level.targets)), filled)
