"""What models cost: USD per million tokens, by a table that is dated and never fetched.

A price is for one model of one provider; a model that no line names has none, and what it costs stays
unknown. The table itself is data (`maxpool/data/prices.toml`, read by `config/prices`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from maxpool.core.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.lease import TokenUsage

KEPT_NAMES: Final = 512
"""Names of models that were looked up; clients choose them freely."""

_EDITION: Final = re.compile(r"(?:[-@]\d{8}|-\d{4}-\d\d-\d\d|-latest)$|\[[^\]]*\]$")


@value(frozen=True, slots=True)
class Rates:
    """USD per million tokens of each kind."""

    input: float
    output: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float

    def usd(self, usage: TokenUsage) -> float:
        """What these tokens cost."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write_5m * self.cache_write_5m
            + usage.cache_write_1h * self.cache_write_1h
        ) / 1e6


@value(frozen=True, slots=True)
class Price:
    """A model's rates. `tiers`: (input tokens, rates) where a larger prompt costs other rates, all of
    it; the smallest first.
    """

    rates: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()

    def of(self, prompt_tokens: int) -> Rates:
        """The rates for a prompt of that size, cached tokens included."""
        found = self.rates
        for above, rates in self.tiers:
            if prompt_tokens > above:
                found = rates
        return found


@dataclass(frozen=True, slots=True, eq=False)
class PriceTable:
    """All prices: those of the owner by pattern, then the listed ones by provider and exact name.

    `dated`: the day on which the listed ones were checked. A pattern is compared with the model's name
    and with `provider/name`; the longest that matches holds.
    """

    dated: str = ""
    listed: Mapping[str, Mapping[str, Price]] = field(default_factory=dict)
    own: Mapping[str, Price] = field(default_factory=dict)
    found: dict[tuple[str, str], Price | None] = field(default_factory=dict, repr=False)

    def find(self, provider: str, model: str) -> Price | None:
        """The price of a model as it is sent to that provider; None where nobody knows it."""
        key = (provider, model)
        if key not in self.found:
            if len(self.found) >= KEPT_NAMES:
                self.found.clear()
            self.found[key] = self._find(provider, model)
        return self.found[key]

    def _find(self, provider: str, model: str) -> Price | None:
        names = (model, f"{provider}/{model}")
        matching = [p for p in self.own if any(fnmatchcase(name, p) for name in names)]
        if matching:
            return self.own[max(matching, key=len)]
        listed = self.listed.get(provider, {})
        return listed.get(model) or listed.get(plain_name(model))


NO_PRICES: Final = PriceTable()
"""Nobody knows what anything costs."""


def plain_name(model: str) -> str:
    """A model's name without its edition: a date, `-latest`, a variant in brackets.

    `claude-opus-4-5-20251101` -> `claude-opus-4-5`.
    """
    name = model.lower()
    while (shorter := _EDITION.sub("", name)) != name:
        name = shorter
    return name
