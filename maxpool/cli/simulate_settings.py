"""`--set KEY=VALUE` of `maxpool simulate`: any pool setting, for one run.

Values are written as in TOML, or plain: `warm_bonus=20`, `key_price=never`,
`model_prices={opus = 2, sonnet = 1, haiku = 0.5}`. Names and values may be the config's
(`recovery=5min`) or the setting's own (`recovery_s=300`); what the config refuses is refused here.
Raises `ValueError` in words for a person.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
from pydantic import ValidationError

from maxpool.config.fields import Section, file_key, parse_key_price
from maxpool.config.model import PoolConfig, QueueConfig, StorageConfig
from maxpool.config.problems import Describer
from maxpool.config.units import parse_duration
from maxpool.core.ratebuckets import Rule
from maxpool.core.settings import PoolSettings

if TYPE_CHECKING:
    from collections.abc import Iterable


ELSEWHERE: Mapping[str, tuple[type[Section], str]] = {
    "queue_limit": (QueueConfig, "limit"),
    "queue_max_wait_s": (QueueConfig, "max_wait_s"),
    "queue_aging_s": (QueueConfig, "aging_s"),
    "save_gap_s": (StorageConfig, "save_gap_s"),
}
"""Settings that the config has outside `[pool]`, or under another name."""


def settings_with(assignments: Iterable[str]) -> PoolSettings:
    """The default settings with these changes, the last of each key."""
    kinds = get_type_hints(PoolSettings, localns={"Mapping": Mapping, "Rule": Rule})
    names = {file_key(name): name for name in kinds}
    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"{assignment!r} is not KEY=VALUE")
        name = names.get(key.strip(), key.strip())
        if name == "strategy":
            raise ValueError("the strategy is chosen with --strategy")
        if name not in kinds:
            raise ValueError(f"there is no setting {name!r}; {_nearest(name, list(kinds))}")
        changes |= _values(name, key.strip(), text.strip(), kinds[name])
    return replace(PoolSettings(), **changes)


def _values(name: str, key: str, text: str, kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a type hint
    """What one assignment sets: `after:20s` says two things."""
    written = _written(text)
    try:
        if name == "key_price" and str(written).startswith("after:"):
            price, wait_s = parse_key_price(str(written))
            return {name: price, "key_price_after_s": wait_s}
        if name in PoolConfig.model_fields and name != "key_price":
            return {name: _as_in_config(PoolConfig, name, written)}
        if name in ELSEWHERE:
            return {name: _as_in_config(*ELSEWHERE[name], written)}
        return {name: _as_it_is(name, written, kind)}
    except ValueError as error:
        raise ValueError(f"{key} cannot be {text!r}: it {error}") from error


def _written(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a plain word


def _as_in_config(section: type[Section], field: str, value: object) -> object:
    """A value by the config's own rules."""
    try:
        return getattr(section.model_validate({field: value}), field)
    except ValidationError as error:
        (problem, *_) = Describer("", "").from_pydantic(error.errors(include_url=False))
        message = problem.message
        raise ValueError(message[max(message.find("must"), 0) :]) from error


def _as_it_is(name: str, value: object, kind: Any) -> object:  # noqa: ANN401 - a type hint
    """A value that no config can hold: of the setting's kind, finite, and above nothing."""
    if name.endswith("_s") and kind is float:
        return parse_duration(value)
    try:
        found: object = msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        wrong = str(error).partition(" - at ")[0]
        raise ValueError(f"must be right: {wrong[:1].lower()}{wrong[1:]}") from error
    parts = found.values() if isinstance(found, Mapping) else (found,)
    for part in parts:
        if isinstance(part, int | float) and not (math.isfinite(part) and part >= 0):
            raise ValueError("must be a number of zero or more")
        if not part and (isinstance(found, Mapping) or name.startswith("max_")):
            raise ValueError("must be more than zero")
    return found


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else "see core/settings.py for all"
