"""Budgets: which rate buckets and wallets a call falls into, and what they leave an account.

Three places, so that a choice stays cheap: limits of an account or its provider close the account as a
whole (`Purse.blocks`, see `core/index`); those of a model or client key on it, and room for this
request's tokens, are asked per request (`Purse.for_request`); those of the pool or of a client key
alone are asked once per request (`gate`, `broke`), before any account. USD limits bind paid accounts
only: a plan's tokens are paid for already.

A call is counted when its lease is granted, and again at each further send (`Pool.sent`); tokens and
USD are reserved then by estimate and settled at the end by what the answer says.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from math import inf
from typing import TYPE_CHECKING, Final

from maxpool.core.eligibility import Reason, Unavailable
from maxpool.core.ratebuckets import DAY_S, HELD_S, Bucket, Rule
from maxpool.core.targets import upstream_model
from maxpool.core.wallet import Wallet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maxpool.core.account import Account
    from maxpool.core.cost import Prices
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.quotareading import ProbedQuota
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState

TIDY_S: Final = 60.0
OTHERS: Final = "*"
"""The name under which models and keys are counted together once there are too many to tell apart."""


@dataclass(slots=True, eq=False)
class Purse:
    """What limits one account. `own` and `wallet` concern it whatever the request; `asked` are limits
    for some models or client keys on it. `particular`: it has to be weighed by itself.
    """

    budget: Budget
    account: Account
    own: tuple[Bucket, ...] = ()
    asked: tuple[Rule, ...] = ()
    wallet: Wallet | None = None
    quota: ProbedQuota | None = None
    particular: bool = False

    def blocks(self, now: float) -> Iterator[Unavailable]:
        """What keeps the account from serving anything."""
        for bucket in self.own:
            until = bucket.exhausted(now)
            if until is not None:
                yield _block(bucket.rule, until)
        wallet = self.wallet
        if wallet is not None and wallet.promised():
            yield Unavailable(Reason.BUDGET, None if wallet.empty() else now + HELD_S)
        quota = self.quota
        if quota is not None and (until := quota.closed(now)) is not None:
            yield Unavailable(Reason.QUOTA, until)

    def for_request(self, request: LeaseRequest, model: str, now: float) -> Iterator[Unavailable]:
        """What keeps it from carrying this request, for that model, beyond that."""
        if not self.particular:
            return
        tokens = self.budget.tokens(request)
        for bucket in self.own:
            if bucket.rule.amount == "tokens":
                until = bucket.closed(now, tokens)
                if until is not None:
                    yield _block(bucket.rule, until)
        for bucket in self.asked_of(request, model):
            until = bucket.closed(now, _amount(bucket.rule, tokens))
            if until is not None:
                yield _block(bucket.rule, until)

    def asked_of(self, request: LeaseRequest, model: str) -> Iterator[Bucket]:
        """The buckets of some models or client keys that this request falls into here."""
        if not self.asked:
            return
        sent_as = upstream_model(self.account.models, model) or model
        for rule in self.asked:
            if _matches(rule.model, sent_as) and _matches(rule.client_key, request.client_key):
                yield self.budget.bucket(rule, self.account, sent_as, request.client_key)

    def opened(self, now: float) -> bool:
        """Whether money or a long window of it is in use already: then that comes before another's."""
        if self.wallet is not None and self.wallet.opened(now):
            return True
        return any(b.rule.period.length_s >= DAY_S and b.opened(now) for b in self.own)

    def second_try(self) -> bool:
        """Whether money was added of which the provider may not know yet: said once for each time."""
        wallet = self.wallet
        if wallet is None or not wallet.second_try:
            return False
        wallet.second_try = False
        return True

    def changes_at(self, now: float) -> float | None:
        """When something of it opens by itself."""
        return min((b.until for b in self.blocks(now) if b.until is not None), default=None)


@dataclass(slots=True, eq=False)
class Hold:
    """What one lease was counted and reserved for, until it is settled; `at`: when it was last sent."""

    at: float
    calls: list[Bucket]
    tokens: list[Bucket]
    usd: list[Bucket]
    wallet: Wallet | None
    estimated_tokens: float
    estimated_usd: float
    done: bool = False


@dataclass(slots=True)
class Budget:
    """Every bucket and wallet of a pool."""

    settings: PoolSettings
    prices: Prices
    buckets: dict[tuple[str, tuple[str, ...]], Bucket] = field(default_factory=dict)
    wallets: dict[str, Wallet] = field(default_factory=dict)
    quotas: dict[str, ProbedQuota] = field(default_factory=dict)
    gates: tuple[Rule, ...] = ()
    money: tuple[Rule, ...] = ()
    rules: tuple[Rule, ...] = ()
    active: bool = False
    keyed: tuple[Rule, ...] = ()  # limits that tell client keys apart
    tidied_at: float = 0.0

    def __post_init__(self) -> None:
        self.configure(self.settings)

    def configure(self, settings: PoolSettings) -> None:
        """Go by these settings; each account has to be bound again. Counts of rules that stay, stay."""
        self.settings = settings
        limits = tightest(settings.limits)
        pooled = [r for r in limits if not (r.provider or r.account or r.model)]
        self.gates = tuple(r for r in pooled if r.amount != "usd")
        self.money = tuple(r for r in pooled if r.amount == "usd")
        self.rules = tuple(r for r in limits if r not in pooled)
        self.active = bool(limits)
        self.keyed = tuple(r for r in limits if r.client_key is not None)
        rules = {rule.name: rule for rule in limits}
        for name, about in list(self.buckets):
            if name in rules:
                self.buckets[name, about].rule = rules[name]

    # -- which -----------------------------------------------------------------------------------

    def bind(self, state: AccountState) -> None:
        """Find out what limits an account; after each change of its settings or of the limits."""
        account, purse = state.account, None
        self._unbind(state)
        theirs = (*self._of(account), *tightest(account.limits))
        rules = [r for r in theirs if account.paid or r.amount != "usd"]
        wallet = self._wallet(account)
        quota = self.quotas.get(account.id)
        if rules or wallet is not None or quota is not None:
            purse = Purse(self, account, wallet=wallet, quota=quota)
            plain = [r for r in rules if r.model is None and r.client_key is None]
            purse.asked = tuple(r for r in rules if r not in plain)
            purse.own = tuple(self.bucket(rule, account) for rule in plain)
            long = any(r.period.length_s >= DAY_S for r in plain)
            tokens = any(r.amount == "tokens" for r in plain)
            purse.particular = bool(purse.asked) or wallet is not None or long or tokens
            for bucket in purse.own:
                bucket.owners[account.id] = None
            self.active = True
        state.purse = purse

    def forget(self, state: AccountState) -> None:
        """The account is gone, and so is its money."""
        self._unbind(state)
        self.wallets.pop(state.account.id, None)
        self.quotas.pop(state.account.id, None)

    def _unbind(self, state: AccountState) -> None:
        for bucket in state.purse.own if state.purse is not None else ():
            bucket.owners.pop(state.account.id, None)

    def _of(self, account: Account) -> Iterable[Rule]:
        for rule in self.rules:
            named = _matches(rule.account, account.name) or _matches(rule.account, account.id)
            if named and _matches(rule.provider, account.provider):
                yield rule

    def _wallet(self, account: Account) -> Wallet | None:
        known = self.wallets.get(account.id)
        if known is None and account.balance_usd is None:
            return None
        wallet = self.wallets.setdefault(account.id, known or Wallet())
        wallet.declare(account.balance_usd, account.minimum_balance_usd)
        return wallet

    def bucket(
        self, rule: Rule, account: Account | None = None, model: str = "", key: str | None = None
    ) -> Bucket:
        """The bucket of a rule for these; too many names share one."""
        about = tuple(
            name
            for pattern, name in (
                (rule.provider, account.provider if account is not None else ""),
                (rule.account, account.id if account is not None else ""),
                (rule.model, model),
                (rule.client_key, key or ""),
            )
            if pattern is not None
        )
        own = account is not None and rule in account.limits
        if own and account is not None:
            about = (account.id, *about)
        place = (f"own {rule.name}" if own else rule.name, about)
        found = self.buckets.get(place)
        if found is None:
            named = rule.model is not None or rule.client_key is not None
            if named and len(self.buckets) >= self.settings.max_rate_buckets:
                place = (place[0], (OTHERS,))
            found = self.buckets.setdefault(place, Bucket(rule, place[1]))
        elif found.rule is not rule:
            found.rule = rule
        return found

    # -- before the choice -----------------------------------------------------------------------

    def marked(self, request: LeaseRequest) -> LeaseRequest:
        """The request with the client key that has limits of its own: those concern nobody else."""
        key = request.client_key
        if key is None or not any(_matches(r.client_key, key) for r in self.keyed):
            return request
        return replace(request, budget_key=key)

    def gate(self, request: LeaseRequest, now: float) -> Unavailable | None:
        """What the pool's or the client key's own rate limits say, whatever the account."""
        tokens, latest = self.tokens(request), 0.0
        for rule in self.gates:
            if _matches(rule.client_key, request.client_key):
                bucket = self.bucket(rule, key=request.client_key)
                latest = max(latest, bucket.closed(now, _amount(rule, tokens)) or 0.0)
        return Unavailable(Reason.BUCKET_EXHAUSTED, latest) if latest else None

    def broke(self, request: LeaseRequest | None, now: float) -> Unavailable | None:
        """Why no money may be spent for this request, by the pool's or its client key's budget."""
        key = None if request is None else request.client_key
        for rule in self.money:
            if _matches(rule.client_key, key):
                until = self.bucket(rule, key=key).exhausted(now)
                if until is not None:
                    return _block(rule, until)
        return None

    def tokens(self, request: LeaseRequest) -> float:
        """How many tokens a request will probably take, its answer included."""
        if not request.spends or not request.model:
            return 0.0
        return request.input_tokens + self.prices.expected_output(request)

    # -- counting --------------------------------------------------------------------------------

    def take(self, state: AccountState, request: LeaseRequest, model: str, now: float) -> Hold:
        """A lease is granted: its first call counts now, what it will use is reserved."""
        if len(self.buckets) >= self.settings.max_rate_buckets:
            self._tidy(now)
        found = [*self._pooled(request, state.account)]
        purse = state.purse
        wallet = None
        if purse is not None:
            found += purse.own
            found += purse.asked_of(request, model)
            wallet = purse.wallet
        of = {"requests": list[Bucket](), "tokens": list[Bucket](), "usd": list[Bucket]()}
        for bucket in found:
            of[bucket.rule.amount].append(bucket)
        tokens = self.tokens(request)
        usd = self._usd(state.account, request, model) if of["usd"] or wallet is not None else 0.0
        hold = Hold(now, of["requests"], of["tokens"], of["usd"], wallet, tokens, usd)
        for bucket in hold.calls:
            bucket.add(1.0, now)
        for bucket in hold.tokens:
            bucket.reserve(tokens)
        for bucket in hold.usd:
            bucket.reserve(usd)
        if wallet is not None:
            wallet.reserve(usd)
        return hold

    def _pooled(self, request: LeaseRequest, account: Account) -> Iterator[Bucket]:
        for rule in (*self.gates, *(self.money if account.paid else ())):
            if _matches(rule.client_key, request.client_key):
                yield self.bucket(rule, key=request.client_key)

    def _usd(self, account: Account, request: LeaseRequest, model: str) -> float:
        """What it will probably cost; 0 where no price is known."""
        if not request.spends or not request.model:
            return 0.0
        sent_as = upstream_model(account.models, model) or model
        price = self.settings.price_table.find(account.provider, sent_as)
        if price is None:
            return 0.0
        rates = price.of(request.input_tokens)
        output = self.prices.expected_output(request)
        return (request.input_tokens * rates.input + output * rates.output) / 1e6

    def again(self, hold: Hold, now: float) -> bool:
        """One more call on the same lease: counted, unless a limit leaves no room for it."""
        if any(bucket.exhausted(now) is not None for bucket in hold.calls):
            return False
        for bucket in hold.calls:
            bucket.add(1.0, now)
        hold.at = now
        return True

    def unsent(self, hold: Hold) -> None:
        """The last call never left: it is not counted."""
        for bucket in hold.calls:
            bucket.take_back(1.0, hold.at)

    def settle(self, hold: Hold, tokens: float | None, usd: float | None, now: float) -> None:
        """A lease ended and used so much; None: nobody knows, the estimate stands. Once only."""
        if hold.done:
            return
        hold.done = True
        used = hold.estimated_tokens if tokens is None else tokens
        spent = hold.estimated_usd if usd is None else usd
        for bucket in hold.tokens:
            bucket.settle(hold.estimated_tokens, used, now)
        for bucket in hold.usd:
            bucket.settle(hold.estimated_usd, spent, now)
        if hold.wallet is not None:
            hold.wallet.settle(hold.estimated_usd, spent)

    def adopted(self, hold: Hold) -> None:
        """A lease that runs elsewhere is in the counts already: its reservation takes its place there."""
        self.unsent(hold)
        for bucket in hold.tokens:
            bucket.take_back(hold.estimated_tokens, hold.at)
        for bucket in hold.usd:
            bucket.take_back(hold.estimated_usd, hold.at)
        if hold.wallet is not None:
            hold.wallet.spent = max(hold.wallet.spent - hold.estimated_usd, 0.0)

    def _tidy(self, now: float) -> None:
        """Forget buckets of models and keys that nobody used lately; at most once a minute."""
        if 0.0 <= now - self.tidied_at < TIDY_S:
            return
        self.tidied_at = now
        for place, bucket in list(self.buckets.items()):
            if not bucket.owners and not bucket.opened(now):
                del self.buckets[place]

    def top_up(self, account_id: str, usd: float, now: float) -> Wallet:
        """Money was added to an account; it has to be bound again."""
        wallet = self.wallets.setdefault(account_id, Wallet())
        wallet.top_up(usd, now)
        return wallet

    def step(self, by_s: float) -> None:
        """The clock was set."""
        for bucket in self.buckets.values():
            bucket.step(by_s)
        for wallet in self.wallets.values():
            wallet.step(by_s)
        for quota in self.quotas.values():
            quota.step(by_s)


def tightest(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Of rules that count the same, the one that allows least."""
    found: dict[str, Rule] = {}
    for rule in rules:
        known = found.get(rule.name)
        if known is None or rule.capacity < known.capacity:
            found[rule.name] = rule
    return tuple(found.values())


def _matches(pattern: str | None, name: str | None) -> bool:
    return pattern is None or (name is not None and fnmatchcase(name, pattern))


def _amount(rule: Rule, tokens: float) -> float:
    return 1.0 if rule.amount == "requests" else tokens


def _block(rule: Rule, until: float) -> Unavailable:
    reason = Reason.BUDGET if rule.amount == "usd" else Reason.BUCKET_EXHAUSTED
    return Unavailable(reason, None if until == inf else until)
