"""What the owner wants to be told of: rules, and what of it holds on a picture of the pool. Pure.

Whether something is told, and when, is `core/alerts`; in which words, `wire/alerts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from maxpool.core.account import NOT_POOLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from maxpool.core.moneyview import LimitView
    from maxpool.core.view import AccountView, PoolView

When = Literal[
    "window",
    "dry",
    "pool_dry",
    "login_dead",
    "login_expiring",
    "error_rate",
    "budget",
    "balance",
    "ledger",
    "internal_errors",
]

STEP_BACK: Final = 0.05
"""Of a share: how far it must fall below its limit before that is over, or it would be told at every move."""

LEAST_REQUESTS: Final = 20
"""Before their share of errors says anything."""

LEAST_READINGS: Final = 3
"""Of a window, before its pace says when it will be empty."""

SERVES: Final = frozenset({"ready", "busy"})
DEAD: Final = frozenset({"locked_out", "closed"})
DAY_S: Final = 86_400.0

Key = tuple[str, str, str]
"""The rule's name, the account's id ("" for the pool), and the window or limit it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule. `account` and `window` are patterns; `above` a share, of a balance USD.

    `before_s`: how long before the end of a grant, the longest first. `for_s`: how long it must hold first.
    `urgent`: also in quiet hours. `targets`: by name, none = all.
    """

    name: str
    when: When
    account: str = "*"
    window: str = "*"
    above: float = 0.9
    before_s: tuple[float, ...] = (7 * DAY_S, 2 * DAY_S)
    for_s: float = 0.0
    urgent: bool = False
    targets: tuple[str, ...] = ()


DEFAULT_RULES: Final = (
    AlertRule(name="pool-dry", when="pool_dry", for_s=60.0, urgent=True),
    AlertRule(name="login-dead", when="login_dead", urgent=True),
    AlertRule(name="login-expiring", when="login_expiring"),
    AlertRule(name="week-used", when="window", window="7d", above=0.9),
    AlertRule(name="week-dry", when="dry", window="7d", for_s=1800.0),
    AlertRule(name="errors", when="error_rate", above=0.25),
    AlertRule(name="budget", when="budget", above=0.9),
    AlertRule(name="ledger", when="ledger", for_s=300.0),
    AlertRule(name="internal-errors", when="internal_errors", above=0.0),
)
"""Where the config names targets and no rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What the pool does not know: callers' answers and errors of the last 15 minutes, and our own trouble."""

    answers: int = 0
    errors: int = 0
    internal_errors: int = 0
    ledger_trouble: str = ""
    ledger_lost: int = 0


class Seen(NamedTuple):
    """Something a rule is about, as it is now: it `fires`, or is not yet far enough from that to be over.

    `value`: a share, USD or a count; `until`: the moment it is about; `why`: a word or sentence; `level`
    rises with urgency.
    """

    key: Key
    name: str
    fires: bool
    value: float | None = None
    until: float | None = None
    why: str = ""
    level: int = 0


def seen(rules: Sequence[AlertRule], view: PoolView, numbers: Numbers) -> Iterator[Seen]:
    """What all rules see."""
    for rule in rules:
        yield from _SEE[rule.when](rule, view, numbers)


def _accounts(rule: AlertRule, view: PoolView) -> Iterator[AccountView]:
    for account in view.accounts:
        if account.enabled and fnmatchcase(account.account.name, rule.account):
            yield account


def _key(rule: AlertRule, account: AccountView, part: str = "") -> Key:
    return (rule.name, account.account.id, part)


def _window(rule: AlertRule, view: PoolView, _numbers: Numbers) -> Iterator[Seen]:
    for a in _accounts(rule, view):
        for w in a.windows:
            used = w.utilization
            if used is None or not fnmatchcase(w.window, rule.window):
                continue
            if used > rule.above - STEP_BACK:
                key, name = _key(rule, a, w.window), a.account.name
                yield Seen(key, name, used >= rule.above, used, w.reset_at)


def _dry(rule: AlertRule, view: PoolView, _numbers: Numbers) -> Iterator[Seen]:
    for a in _accounts(rule, view):
        for w in a.windows:
            if w.exhausts_at is None or not fnmatchcase(w.window, rule.window):
                continue
            key, fires = _key(rule, a, w.window), w.readings >= LEAST_READINGS
            yield Seen(key, a.account.name, fires, w.utilization, w.exhausts_at)


def _pool_dry(rule: AlertRule, view: PoolView, _numbers: Numbers) -> Iterator[Seen]:
    served = [a for a in view.accounts if a.enabled and a.account.kind not in NOT_POOLED]
    if not served or any(a.state in SERVES for a in served):
        return
    times = [a.unavailable.until for a in served if a.unavailable is not None]
    back = min((at for at in times if at is not None), default=None)
    yield Seen((rule.name, "", ""), "", True, float(len(served)), back)


def _login_dead(rule: AlertRule, view: PoolView, _numbers: Numbers) -> Iterator[Seen]:
    for a in _accounts(rule, view):
        if a.state in DEAD:
            why = a.credential.dead or a.detail
            yield Seen(_key(rule, a), a.account.name, True, why=why)


def _login_expiring(rule: AlertRule, view: PoolView, _numbers: Numbers) -> Iterator[Seen]:
    for a in _accounts(rule, view):
        ends_at = a.credential.grant_expires_at
        if ends_at is None or a.state in DEAD:
            continue
        level = sum(ends_at - view.now <= before_s for before_s in rule.before_s)
        if level:
            yield Seen(_key(rule, a), a.account.name, True, None, ends_at, level=level)


def _error_rate(rule: AlertRule, _view: PoolView, numbers: Numbers) -> Iterator[Seen]:
    if numbers.answers < LEAST_REQUESTS:
        return
    share = numbers.errors / numbers.answers
    if share > rule.above / 2.0:
        yield Seen((rule.name, "", ""), "", share >= rule.above, share)


def _budget(rule: AlertRule, view: PoolView, _numbers: Numbers) -> Iterator[Seen]:
    if rule.account == "*":
        yield from _limits(rule, "", "", view.money.limits)
    for a in _accounts(rule, view):
        yield from _limits(rule, a.account.id, a.account.name, a.purse.limits)


def _limits(
    rule: AlertRule, account_id: str, name: str, limits: Sequence[LimitView]
) -> Iterator[Seen]:
    for limit in limits:
        share = limit.used / limit.limit if limit.limit > 0 else 1.0
        if share > rule.above - STEP_BACK:
            key = (rule.name, account_id, limit.name)
            yield Seen(key, name, share >= rule.above, share, limit.until)


def _balance(rule: AlertRule, view: PoolView, _numbers: Numbers) -> Iterator[Seen]:
    for a in _accounts(rule, view):
        wallet = a.purse.wallet
        left = None if wallet is None else wallet.balance_usd
        if left is not None and left <= rule.above:
            yield Seen(_key(rule, a), a.account.name, True, left)


def _ledger(rule: AlertRule, _view: PoolView, numbers: Numbers) -> Iterator[Seen]:
    if numbers.ledger_trouble or numbers.ledger_lost:
        why = numbers.ledger_trouble
        yield Seen((rule.name, "", ""), "", True, float(numbers.ledger_lost), why=why)


def _internal_errors(rule: AlertRule, _view: PoolView, numbers: Numbers) -> Iterator[Seen]:
    if numbers.internal_errors > rule.above:
        yield Seen((rule.name, "", ""), "", True, float(numbers.internal_errors))


_SEE: Final[Mapping[When, Callable[[AlertRule, PoolView, Numbers], Iterator[Seen]]]] = {
    "window": _window,
    "dry": _dry,
    "pool_dry": _pool_dry,
    "login_dead": _login_dead,
    "login_expiring": _login_expiring,
    "error_rate": _error_rate,
    "budget": _budget,
    "balance": _balance,
    "ledger": _ledger,
    "internal_errors": _internal_errors,
}
