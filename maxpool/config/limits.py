"""Rate limits and budgets as people write them: `[[limits]]`, `[budget]`, and the short forms of an
account and a client key; and the rules the core makes of them.

"60/minute", "1M tokens/day", "5 usd/week", "300/5 hours", "60/minute rolling".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from maxpool.config.fields import Section, Word, wrong
from maxpool.core.ratebuckets import Amount, Period, Rule, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.config.account import AccountConfig, ClientKeyConfig
    from maxpool.config.model import Config

_RATE: Final = re.compile(
    r"\s*(\d+(?:_\d+)*(?:\.\d+)?)\s*([kKMG]?)(?:\s+(requests?|tokens?|usd|USD))?"
    r"\s*(?:/|\s+per\s+)\s*(?:(\d{1,4})\s*)?([A-Za-z]+)(\s+rolling)?\s*"
)
_TIMES: Final = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_UNITS: Final[dict[str, Unit]] = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), "second"),
    **dict.fromkeys(("m", "min", "minute", "minutes"), "minute"),
    **dict.fromkeys(("h", "hour", "hours"), "hour"),
    **dict.fromkeys(("d", "day", "days"), "day"),
    **dict.fromkeys(("w", "week", "weeks"), "week"),
    **dict.fromkeys(("month", "months"), "month"),
}
_AMOUNTS: Final[dict[str, Amount]] = {
    **dict.fromkeys(("request", "requests"), "requests"),
    **dict.fromkeys(("token", "tokens"), "tokens"),
    **dict.fromkeys(("usd", "USD"), "usd"),
}
AMOUNTS: Final[tuple[Amount, ...]] = ("requests", "tokens", "usd")
_EXAMPLE: Final = "60/minute"
_LEAST: Final = {"requests": 1.0}


def read_rate(text: str, amount: Amount | None = None) -> Rule:
    """The rule a rate names; `amount`: what it counts where the key says that. ValueError otherwise."""
    found = _RATE.fullmatch(text)
    unit = _UNITS.get(found[5]) if found is not None else None
    if found is None or unit is None:
        raise ValueError("must be a rate: an amount, / and a span of time")
    said = _AMOUNTS[found[3]] if found[3] else None
    if said is not None and amount not in (None, said):
        raise ValueError(f"counts {amount}, so its rate cannot be one of {said}")
    counted = said or amount or "requests"
    limit = float(found[1].replace("_", "")) * _TIMES[found[2]]
    times = int(found[4] or 1)
    if limit < _LEAST.get(counted, 1e-6) or times < 1:
        raise ValueError("must be more than nothing; `enabled = false` turns an account off")
    return Rule(counted, limit, Period(unit, times), rolling=found[6] is not None)


def _rate(text: str) -> str:
    try:
        read_rate(text)
    except ValueError as error:
        raise wrong(str(error), _EXAMPLE) from None
    return text


Rate = Annotated[str, AfterValidator(_rate)]
Rates = Annotated[tuple[Rate, ...], Field(strict=False)]
Usd = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
UsdOrZero = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
PerMinute = Annotated[int, Field(ge=1)]


class LimitConfig(Section):
    """One `[[limits]]` entry: how much of what, for which of the names that its patterns match."""

    provider: Word | None = None
    account: Word | None = None
    model: Word | None = None
    client_key: Word | None = None
    requests: Rate | None = None
    tokens: Rate | None = None
    usd: Rate | None = None
    window: Literal["calendar", "rolling"] = "calendar"
    safety: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any((self.requests, self.tokens, self.usd)):
            raise wrong("limits nothing", f'requests = "{_EXAMPLE}"')
        for amount in AMOUNTS:
            text = getattr(self, amount)
            try:
                if text is not None:
                    read_rate(text, amount)
            except ValueError as error:
                raise wrong(f"{amount} {error}", _EXAMPLE) from None
        return self

    def rules(self) -> Iterator[Rule]:
        """What it means to the core."""
        for amount in AMOUNTS:
            text = getattr(self, amount)
            if text is None:
                continue
            rate = read_rate(text, amount)
            yield Rule(
                amount,
                rate.limit,
                rate.period,
                rate.rolling or self.window == "rolling",
                self.safety,
                self.provider,
                self.account,
                self.model,
                self.client_key,
            )


class BudgetConfig(Section):
    """`[budget]`: what all paid accounts together may spend."""

    daily_usd: Usd | None = None
    run_usd: Usd | None = None


def pool_rules(config: Config) -> tuple[Rule, ...]:
    """Every limit that is not one account's own."""
    found = [rule for entry in config.limits for rule in entry.rules()]
    found += _money(config.budget.daily_usd, config.budget.run_usd)
    for key in config.client_keys:
        found += key_rules(key)
    return tuple(found)


def key_rules(key: ClientKeyConfig) -> Iterator[Rule]:
    """A client key's own limits."""
    mine = [*_short(key.rpm, key.tpm, key.limits), *_money(key.daily_budget_usd, None)]
    for rule in mine:
        yield Rule(rule.amount, rule.limit, rule.period, rule.rolling, client_key=key.name)


def account_rules(entry: AccountConfig) -> tuple[Rule, ...]:
    """An account's own limits."""
    money = _money(entry.daily_budget_usd, entry.session_budget_usd)
    return (*_short(entry.rpm, entry.tpm, entry.limits), *money)


def _short(rpm: int | None, tpm: int | None, limits: tuple[str, ...]) -> Iterator[Rule]:
    if rpm is not None:
        yield Rule("requests", float(rpm), Period("minute"), rolling=True)
    if tpm is not None:
        yield Rule("tokens", float(tpm), Period("minute"), rolling=True)
    yield from (read_rate(text) for text in limits)


def _money(daily_usd: float | None, run_usd: float | None) -> Iterator[Rule]:
    if daily_usd is not None:
        yield Rule("usd", daily_usd, Period("day"))
    if run_usd is not None:
        yield Rule("usd", run_usd, Period("run"))
