"""What keys the config file can hold, read off the model: for suggestions, `config show` and tests.

Describes the model; validates nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from maxpool.config.account import AccountConfig, ClientKeyConfig
from maxpool.config.alerts import AlertRuleConfig
from maxpool.config.failures import FailureConfig
from maxpool.config.limits import LimitConfig
from maxpool.config.model import Config
from maxpool.config.names import AliasConfig, ModelProfileConfig, SetConfig
from maxpool.config.oauth import OAuthProfileConfig
from maxpool.config.prices import PriceConfig
from maxpool.config.providers import ProviderConfig

if TYPE_CHECKING:
    from maxpool.config.locate import Path


def key_of(model: type[BaseModel], attribute: str) -> str:
    """The key in the file for an attribute of a section."""
    return model.model_fields[attribute].alias or attribute


def sections() -> dict[str, type[BaseModel]]:
    """The `[section]` tables, by name, in file order."""
    return {
        name: field.annotation
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def lists() -> dict[str, type[BaseModel]]:
    """The `[[list]]` tables, by name."""
    return {"limits": LimitConfig, "client_keys": ClientKeyConfig, "accounts": AccountConfig}


def named() -> dict[str, type[BaseModel]]:
    """The `[group.NAME]` tables, whose names their owner chooses, by group."""
    return {
        "oauth": OAuthProfileConfig,
        "prices": PriceConfig,
        "providers": ProviderConfig,
        "failures": FailureConfig,
        "aliases": AliasConfig,
        "sets": SetConfig,
        "profiles": ModelProfileConfig,
    }


def tables() -> dict[str, type[BaseModel]]:
    """Every section and list, by name."""
    return {**sections(), **lists()}


def known_keys(path: Path) -> list[str]:
    """The keys that may stand in the table at `path`; empty when it is free or unknown."""
    model = _model_at(path)
    return [] if model is None else [key_of(model, name) for name in model.model_fields]


def sections_with(key: str) -> list[str]:
    """The sections in which this key exists."""
    return [name for name in tables() if key in known_keys((name,))]


def choices(path: Path) -> list[str]:
    """The values a key may have when they are few and named; empty otherwise."""
    model = _model_at(path[:-1])
    if model is None:
        return []
    for attribute, field in model.model_fields.items():
        if key_of(model, attribute) == path[-1]:
            return _literals(field.annotation)
    return []


def _model_at(path: Path) -> type[BaseModel] | None:
    names = [part for part in path if isinstance(part, str)]
    if not names:
        return Config
    if names == ["alerts", "rules"]:
        return AlertRuleConfig
    if names[0] in named():
        return named()[names[0]] if len(names) == 2 else None
    return tables().get(names[0]) if len(names) == 1 else None


def _literals(annotation: Any) -> list[str]:  # noqa: ANN401 - a type expression has no better type
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return []
