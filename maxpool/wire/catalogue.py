"""A provider's catalogue: its models with context window, tier, what they lack, and price. A codec.

`{"version": 1, "models": [{"id": "m", "context": 131072, "tier": "fast", "lacks": ["images"],
"price": {"input": 0.1, "output": 0.4}}]}`; prices in USD per million tokens, all keys but `id` optional.
What it does not know it leaves out; an entry that is wrong makes the whole catalogue wrong.
"""

from __future__ import annotations

from typing import Final

import msgspec

VERSION: Final = 1
MAX_BYTES: Final = 4 << 20
"""About ten thousand models; more is no catalogue of one provider."""
MAX_MODELS: Final = 10_000
TIERS: Final = ("fast", "medium", "large", "reasoning")


class Price(msgspec.Struct, frozen=True):
    """USD per million tokens."""

    input: float | None = None
    output: float | None = None


class Model(msgspec.Struct, frozen=True):
    """One model; None and () where the catalogue does not say."""

    id: str
    context: int | None = None
    tier: str | None = None
    lacks: tuple[str, ...] = ()
    price: Price | None = None


class Catalogue(msgspec.Struct, frozen=True):
    """A whole catalogue."""

    version: int
    models: tuple[Model, ...] = ()

    @property
    def context(self) -> dict[str, int]:
        """Context windows by model."""
        return {one.id: one.context for one in self.models if one.context is not None}

    @property
    def tiers(self) -> dict[str, str]:
        """The first model of each tier."""
        found: dict[str, str] = {}
        for one in self.models:
            if one.tier is not None:
                found.setdefault(one.tier, one.id)
        return found


def read(data: bytes) -> Catalogue:
    """The catalogue in those bytes; raises ValueError that says what is wrong with it."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES >> 20} MB")
    try:
        found = msgspec.json.decode(data, type=Catalogue)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ValueError(f"it is no catalogue: {error}") from None
    if found.version != VERSION:
        raise ValueError(f"its version is {found.version}, this maxpool reads {VERSION}")
    if len(found.models) > MAX_MODELS:
        raise ValueError(f"it has more than {MAX_MODELS} models")
    for one in found.models:
        _check(one)
    return found


def _check(one: Model) -> None:
    if not 0 < len(one.id) <= 200 or not one.id.isprintable():
        raise ValueError("a model has no usable id")
    if one.context is not None and one.context < 1:
        raise ValueError(f"the context of {one.id} is not above 0")
    if one.tier is not None and one.tier not in TIERS:
        raise ValueError(f"the tier of {one.id} is none of {', '.join(TIERS)}")
