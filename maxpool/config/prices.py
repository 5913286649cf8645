"""What models cost: the list that ships with maxpool, and the owner's own `[prices."PATTERN"]`.

Reads the shipped list once, from the package; nothing is ever fetched.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from maxpool.config.fields import Amount, Section
from maxpool.core.prices_table import Price, PriceTable, Rates

if TYPE_CHECKING:
    from collections.abc import Mapping

SHIPPED: Final = "prices.toml"
KINDS: Final = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


class RatesConfig(Section):
    """USD per million tokens; what is not said of cached tokens costs as much as input."""

    input: Amount
    output: Amount
    cache_read: Amount | None = None
    cache_write_5m: Amount | None = None
    cache_write_1h: Amount | None = None

    def rates(self) -> Rates:
        """The same, whole."""
        said = {kind: getattr(self, kind) for kind in KINDS}
        return Rates(**{k: self.input if usd is None else usd for k, usd in said.items()})


class TierConfig(RatesConfig):
    """Other prices for a larger prompt; all of it, and its answer, costs these."""

    above: Annotated[int, Field(ge=1)]


class PriceConfig(RatesConfig):
    """`[prices."PATTERN"]`: what the models of that name, or `provider/name`, cost."""

    tiers: Annotated[tuple[TierConfig, ...], Field(strict=False)] = ()

    def price(self) -> Price:
        """What it means to the core."""
        tiers = sorted(self.tiers, key=lambda tier: tier.above)
        return Price(self.rates(), tuple((tier.above, tier.rates()) for tier in tiers))


def table_of(own: Mapping[str, PriceConfig]) -> PriceTable:
    """Every price that holds with these of the owner's."""
    if not own:
        return shipped()
    prices = {pattern: entry.price() for pattern, entry in own.items()}
    return PriceTable(shipped().dated, shipped().listed, prices)


@cache
def shipped() -> PriceTable:
    """The list that ships with this version."""
    return read_table(files("maxpool").joinpath("data", SHIPPED).read_text(encoding="utf-8"))


def read_table(text: str) -> PriceTable:
    """A price list from its text, which was checked when it was made; LookupError where it is none."""
    data: dict[str, Any] = tomllib.loads(text)
    listed = {
        provider: {name: _price(entry) for name, entry in models.items()}
        for provider, models in data["models"].items()
    }
    return PriceTable(data["dated"].isoformat(), listed)


def _price(entry: Mapping[str, Any]) -> Price:
    tiers = tuple((int(tier["above"]), _rates(tier)) for tier in entry.get("tiers", ()))
    return Price(_rates(entry), tiers)


def _rates(entry: Mapping[str, Any]) -> Rates:
    return Rates(**{kind: float(entry[kind]) for kind in KINDS})
