"""`--set KEY=VALUE` of `maxpool simulate`: any pool setting, for one run.

Values are written as in TOML, or plain: `warm_bonus=20`, `key_price=never`,
`model_prices={opus = 2, sonnet = 1, haiku = 0.5}`. Raises `ValueError` in words for a person.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from maxpool.core.settings import PoolSettings

if TYPE_CHECKING:
    from collections.abc import Iterable


def settings_with(assignments: Iterable[str]) -> PoolSettings:
    """The default settings with these changes, the last of each key."""
    kinds = get_type_hints(PoolSettings, localns={"Mapping": Mapping})
    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        name = key.strip()
        if not equals:
            raise ValueError(f"{assignment!r} is not KEY=VALUE")
        if name == "strategy":
            raise ValueError("the strategy is chosen with --strategy")
        if name not in kinds:
            raise ValueError(f"there is no setting {name!r}; {_nearest(name, list(kinds))}")
        changes[name] = _value(name, text.strip(), kinds[name])
    return replace(PoolSettings(), **changes)


def _value(name: str, text: str, kind: Any) -> object:  # noqa: ANN401 - a type hint
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a plain word
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        wrong = str(error).partition(" - at ")[0]
        raise ValueError(f"{name} cannot be {text!r}: {wrong[:1].lower()}{wrong[1:]}") from error


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else "see core/settings.py for all"
