"""From the model a client names to what it stands for (`core/routes`), and to what an account is asked for.

An account's own model map is pattern -> upstream name, patterns with `*` as in shell globs, the first
match in the owner's order wins, an exact name before any pattern. Aliases go by the same rule. Nothing
here looks at how accounts fare.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeVar

from maxpool.core.family import family_of
from maxpool.core.reasons import Reason
from maxpool.core.routes import ANTHROPIC, CLAUDE, Cross, Route, Target, home_of, route_of
from maxpool.core.sets import DEFAULT, SetOf, Sets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from maxpool.core.account import Account

Value = TypeVar("Value")

TIERS = ("fast", "medium", "large", "reasoning")
"""From the quickest to the deepest thinker."""
SET = "maxpool"
"""The model id of the set in use; `maxpool:NAME` is that of any other."""
PIN = "account:"
ANY = "default"
"""The model id of `default_model`."""
ALL = "all"
KEPT = 4096
"""Names for which it is remembered what they stand for."""
_WEIGHT = re.compile(r"(.+)@((?:0|[1-9]\d{0,2})(?:\.\d+)?)")  # `@001` is part of a name


def served_by_name(models: Mapping[str, str]) -> list[str]:
    """Names a map offers that can be listed: exact ones, and targets that it serves as they are."""
    exact = [name for name in models if "*" not in name]
    targets = [to for to in models.values() if to not in ("", "*")]
    return [*exact, *(to for to in targets if upstream_model(models, to) == to)]


def matching(table: Mapping[str, Value], model: str) -> Value | None:
    """The entry for a model: an exact name before any pattern, of patterns the first; None for none."""
    exact = table.get(model)
    if exact is not None:
        return exact
    fits = (entry for name, entry in table.items() if "*" in name and fnmatchcase(model, name))
    return next(fits, None)


def upstream_model(models: Mapping[str, str], model: str) -> str | None:
    """The name to send upstream, or None when the map does not offer the model.

    An empty map offers every model under its own name; a value of `"*"` or `""` keeps the name.
    """
    if not models:
        return model
    exact = models.get(model)
    if exact is not None:
        return model if exact in ("", "*") else exact
    for pattern, name in models.items():
        if "*" in pattern and fnmatchcase(model, pattern):
            return model if name in ("", "*") else name
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name or pattern and what it stands for, as written. `cross` None: what holds for all."""

    name: str
    targets: tuple[str, ...] = ()
    fallback_targets: tuple[str, ...] = ()
    strategy: str = "cost"
    tier: str | None = None
    cross: Cross | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the owner wrote of models. `tiers`: those of accounts that serve every model by its own name.

    `profiles`: name -> models (patterns) that such requests may be served by; `usual_profile`: program
    -> the profile of requests that name none. `prices`: of a model relative to others, by family.
    """

    aliases: tuple[Alias, ...] = ()
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    usual_profile: Mapping[str, str] = field(default_factory=dict)
    default_model: str | None = None
    cross: Cross = "when-exhausted"
    prices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unroutable:
    """A name stands for nothing that the request may have: why, in a sentence."""

    reason: Reason
    message: str


@dataclass(slots=True)
class Routes:
    """What names stand for, for these accounts; built anew when the config or the accounts change."""

    names: Names
    accounts: Sequence[Account]
    sets: Sets
    known: dict[tuple[str | None, ...], Route | Unroutable | None] = field(default_factory=dict)
    revision: int = -1
    exact: dict[str, Alias] = field(default_factory=dict)
    patterns: list[Alias] = field(default_factory=list)
    who: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> (account|provider, id)
    offered: frozenset[str] = frozenset()  # what accounts' maps name, and of these
    offered_like: tuple[str, ...] = ()  # the patterns, but `*` alone

    def __post_init__(self) -> None:
        for alias in self.names.aliases:
            if "*" in alias.name:
                self.patterns.append(alias)
            else:
                self.exact.setdefault(alias.name, alias)
        for account in self.accounts:
            self.who.setdefault(account.provider, ("provider", account.provider))
        self.offered = frozenset(name for account in self.accounts for name in account.models)
        self.offered_like = tuple(sorted(one for one in self.offered - {"*"} if "*" in one))
        for account in self.accounts:  # an account's own name says more than its provider's
            self.who[account.id] = self.who[account.name] = ("account", account.id)

    def resolve(
        self,
        model: str,
        *,
        set_name: str | None = None,
        profile: str | None = None,
        program: str | None = None,
    ) -> Route | Unroutable | None:
        """What a model stands for; None for itself. `set_name`: the set whose endpoint was asked."""
        if self.sets.revision != self.revision:
            self.revision = self.sets.revision
            self.known.clear()
        key = (model, set_name, profile, program if profile is None else None)
        if key in self.known:
            return self.known[key]
        if len(self.known) >= KEPT:
            self.known.clear()
        usual = self.names.usual_profile.get(program or "") if profile is None else None
        found = self.known[key] = self._resolve(model, set_name, profile, usual)
        return found

    def _resolve(
        self, model: str, set_name: str | None, profile: str | None, usual: str | None
    ) -> Route | Unroutable | None:
        found, written_out = self._special(model, set_name)
        if found is not None:  # what is written out for a name holds whatever is usual
            return self._kept(found, profile if written_out else profile or usual)
        default = self.names.default_model
        if default is not None and not self._offered(model) and model != default:
            return self._resolve(default, None, profile, usual)
        fallbacks = matching(self.names.fallbacks, model)
        if fallbacks is not None:
            levels = [[self._target(model, model)], *([t] for t in self._targets(fallbacks, model))]
            return self._kept(self._route(model, levels), profile)
        allowed = self._allowed(profile)
        if allowed is not None and not _fits(model, allowed):
            return _outside(model, profile)
        if self._mapped(model):
            return self._route(model, [[Target(model, label=model, mapped=True)]])
        return None

    def _special(self, model: str, set_name: str | None) -> tuple[Route | Unroutable | None, bool]:
        """What a name stands for by its form or by the config, and whether its owner wrote that out."""
        if set_name is not None or model == SET or model.startswith(f"{SET}:"):
            return self._set(model, set_name), False
        if model.startswith(PIN):
            return self._pinned(model), True
        alias = self.alias_of(model)
        if alias is not None:
            return self._alias(model, alias), bool(alias.targets)
        who, _, rest = model.partition("/")
        if rest and who in self.who:
            return self._route(model, [[self._target(model, rest)]]), True
        return None, True

    # -- what a name stands for ----------------------------------------------------------------

    def alias_of(self, model: str) -> Alias | None:
        """The alias of a name: an exact one, else the first pattern."""
        found = self.exact.get(model)
        if found is not None:
            return found
        return next((one for one in self.patterns if fnmatchcase(model, one.name)), None)

    def _alias(self, model: str, alias: Alias) -> Route:
        wide = self._targets(alias.targets, model, alias.name)
        tiers = self._tier(alias.tier) if alias.tier is not None else []
        fallbacks = [[t] for t in self._targets(alias.fallback_targets, model, alias.name)]
        for inner in self._inner(alias):
            fallbacks += [[t] for t in self._targets(inner.fallback_targets, model, inner.name)]
        cross = self.names.cross if alias.cross is None else alias.cross
        levels = [wide, *tiers, *fallbacks]
        return route_of(model, levels, strategy=alias.strategy, cross=cross, price=self._price)

    def _inner(self, alias: Alias, *seen: str) -> Iterator[Alias]:
        """The aliases that are among an alias's targets, and theirs."""
        for one in alias.targets:
            found = self.exact.get(weighted(one)[0])
            if found is not None and found is not alias and found.name not in seen:
                yield found
                yield from self._inner(found, *seen, alias.name)

    def _targets(self, written: Iterable[str], model: str, *within: str) -> list[Target]:
        """Targets as values; a target that is an alias stands for that alias's targets."""
        found: list[Target] = []
        for one in written:
            text, weight = weighted(one)
            alias = self.exact.get(text)
            if alias is not None and text not in within:
                inner = self._targets(alias.targets, model, *within, text)
                tier = self._tier(alias.tier) if alias.tier is not None else []
                inner += [target for level in tier for target in level]
                found += [_times(target, weight) for target in inner]
            else:
                found.append(self._target(text, model, weight))
        return found

    def _target(self, text: str, model: str, weight: float = 1.0) -> Target:
        who, _, rest = text.partition("/")
        kind, name = self.who.get(who, ("", "")) if rest else ("", "")
        if not kind:
            named = model if text == "*" else text
            return Target(named, weight=weight, label=text, mapped=self._mapped(named))
        wanted = model if rest == "*" else rest
        if kind == "account":
            return Target(wanted, account=name, weight=weight, label=text)
        return Target(wanted, provider=name, weight=weight, label=text)

    def _pinned(self, model: str) -> Route | Unroutable:
        """`account:NAME/MODEL`: that account and no other, whatever happens."""
        name, _, rest = model.removeprefix(PIN).partition("/")
        found = [a for a in self.accounts if name in (a.id, a.name)]
        if len(found) != 1 or not rest:
            known = ", ".join(a.name for a in self.accounts[:20]) or "none"
            hint = f"Write {PIN}NAME/MODEL. Accounts: {known}."
            return Unroutable(Reason.TARGET, f"{model[:100]!r} names no account and model. {hint}")
        return route_of(model, [[Target(rest, account=found[0].id, label=model)]])

    def _tier(self, tier: str) -> list[list[Target]]:
        """Who has a model of that tier, then who has one of a higher one, then everybody else's first."""
        exact, higher, last = list[Target](), list[Target](), list[Target]()
        above = TIERS[TIERS.index(tier) + 1 :]
        for account in self.accounts:
            offered = tiers_of(account, self.names.tiers)
            if tier in offered:
                exact.append(_of(account, offered[tier]))
            elif found := [offered[name] for name in above if name in offered]:
                higher.append(_of(account, found[0]))
            elif first := first_model(account, self.names.tiers):
                last.append(_of(account, first))
        return [exact, higher, last]

    # -- sets ----------------------------------------------------------------------------------

    def _set(self, model: str, set_name: str | None) -> Route | Unroutable:
        found = self.set_of(name := set_name or model.partition(":")[2] or self.sets.active)
        if found is None:
            known = ", ".join(one.name for one in self.all_sets())
            return Unroutable(Reason.TARGET, f"There is no set {name[:64]!r}. There are: {known}.")
        targets = self._targets(found.targets, model)
        # At a set's own endpoint a model of the set means itself, any other the set.
        named = [t for t in targets if model in (t.label, t.model)] if set_name else []
        route = f"{SET}:{found.name}"
        return route_of(route, [named or targets], strategy=found.strategy, price=self._price)

    def set_of(self, name: str) -> SetOf | None:
        """A set by its name; the default one is built where nobody wrote it."""
        found = self.sets.find(name)
        return self.built() if found is None and name == DEFAULT else found

    def all_sets(self) -> list[SetOf]:
        """Every set, the default one first."""
        default = self.set_of(DEFAULT)
        others = [one for one in self.sets.listed() if one.name != DEFAULT]
        return [*([default] if default is not None else []), *others]

    def built(self) -> SetOf:
        """The default set: the large model of each account, by the owner's order of accounts."""
        ranked = sorted(
            (a for a in self.accounts if a.enabled and a.kind != "home"),
            key=lambda a: (a.priority, a.tier),
        )
        found: dict[str, None] = {}
        for account in ranked:
            offered = tiers_of(account, self.names.tiers)
            best = next(
                (offered[t] for t in ("large", "reasoning", "medium", "fast") if t in offered), None
            )
            model = best or first_model(account, self.names.tiers)
            if model:
                found[f"{account.name}/{model}"] = None
        return SetOf(DEFAULT, tuple(found), "ordered")

    # -- profiles ------------------------------------------------------------------------------

    def _allowed(self, profile: str | None) -> tuple[str, ...] | None:
        """The models that a profile allows; None where it says nothing of models."""
        return None if profile in (None, ALL) else self.names.profiles.get(profile or "")

    def _kept(self, found: Route | Unroutable, profile: str | None) -> Route | Unroutable:
        """The route without targets that the profile does not allow."""
        allowed = self._allowed(profile)
        if allowed is None or isinstance(found, Unroutable):
            return found
        levels = [[t for t in level.targets if _fits(t.model, allowed)] for level in found.levels]
        if not any(levels):
            return _outside(found.name, profile)
        return route_of(
            found.name, levels, strategy=found.strategy, cross=found.cross, price=self._price
        )

    # -- the rest ------------------------------------------------------------------------------

    def _route(self, model: str, levels: Sequence[Sequence[Target]]) -> Route:
        return route_of(model, levels, cross=self.names.cross, price=self._price)

    def _price(self, model: str) -> float:
        return self.names.prices.get(family_of(model), 1.0)

    def _mapped(self, model: str) -> bool:
        """Whether an account's map names a model that no name of Claude's is.

        Then Anthropic's accounts, which would be asked for any name, have no part in it.
        """
        return home_of(model) is None and self._named(model)

    def _named(self, model: str) -> bool:
        """Whether some account's map has it; `*` alone does not count."""
        return model in self.offered or any(fnmatchcase(model, one) for one in self.offered_like)

    def _offered(self, model: str) -> bool:
        """Whether any account says that it offers a model; one that serves all names offers Claude's."""
        if model == ANY:
            return False
        claude = model.startswith(CLAUDE)
        return self._named(model) or any(
            "*" in a.models if a.models else claude or a.provider != ANTHROPIC
            for a in self.accounts
        )

    def listed(self) -> Iterator[str]:
        """Names besides models that a client may ask for; those of sets where there is one but the built."""
        yield from self.exact
        if self.sets.listed():
            yield SET
            yield from (f"{SET}:{one.name}" for one in self.all_sets())


def weighted(text: str) -> tuple[str, float]:
    """A target as written without its weight (`NAME@3`), and the weight."""
    found = _WEIGHT.fullmatch(text)
    return (text, 1.0) if found is None else (found[1], float(found[2]) or 1.0)


def tiers_of(account: Account, usual: Mapping[str, str]) -> Mapping[str, str]:
    """An account's model for each tier it has; `usual`: those of one that serves every model by name."""
    if account.tiers:
        return account.tiers
    return usual if account.provider == ANTHROPIC and not account.models else {}


def first_model(account: Account, usual: Mapping[str, str]) -> str | None:
    """The first model that an account is known to offer."""
    named = [*tiers_of(account, usual).values(), *served_by_name(account.models)]
    return named[0] if named else None


def _of(account: Account, model: str) -> Target:
    return Target(model, account=account.id, label=f"{account.name}/{model}")


def _times(target: Target, weight: float) -> Target:
    return target if weight == 1.0 else replace(target, weight=target.weight * weight)


def _fits(model: str, allowed: Iterable[str]) -> bool:
    name = model.rpartition("/")[2]
    return any(fnmatchcase(name, one) or fnmatchcase(model, one) for one in allowed)


def _outside(model: str, profile: str | None) -> Unroutable:
    said = f"The profile {profile!r} has no model for {model[:100]!r}."
    return Unroutable(Reason.PROFILE, f"{said} [profiles] in the config says which models it has.")
