"""The config as it holds, key by key, with where each value comes from. For `maxpool config show`.

Secrets appear as references only; the value of a header that may carry one is left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from maxpool.config import derive, environment, schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from maxpool.config.account import AccountConfig
    from maxpool.config.fields import Section
    from maxpool.config.load import Loaded

Origin = Literal["default", "file", "command line", "environment"]
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SECRET_HEADER = re.compile(r"key|token|secret|auth|password|cookie", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of one table; `value` is as the file would write it, None when there is none."""

    key: str
    value: Any
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One `[section]`, one entry of a `[[list]]`, or (name empty) the keys above all sections."""

    name: str
    entry: bool
    settings: Sequence[Setting]


def tables(loaded: Loaded, environ: Mapping[str, str] | None = None) -> Iterator[Table]:
    """Every table of the config in file order, every value resolved."""
    env = environment.environ() if environ is None else environ
    config = loaded.config
    top = Setting(key="version", value=config.version, origin=_origin(config, "version"))
    yield Table(name="", entry=False, settings=[top])
    given = loaded.overrides.by_section()
    for name in schema.sections():
        settings = list(_settings(getattr(config, name), given.get(name, {})))
        if name == "storage":
            settings = [_folder(loaded, env) if s.key == "folder" else s for s in settings]
        yield Table(name=name, entry=False, settings=settings)
    for group in schema.named():
        for name, section in getattr(config, group).items():
            header = f"{group}.{name if _BARE.fullmatch(name) else json.dumps(name)}"
            yield Table(name=header, entry=False, settings=_said(_settings(section, {})))
    for limit in config.limits:
        yield Table(name="limits", entry=True, settings=_said(_settings(limit, {})))
    for key in config.client_keys:
        yield Table(name="client_keys", entry=True, settings=_said(_settings(key, {})))
    for account in config.accounts:
        yield Table(name="accounts", entry=True, settings=_said(_account(account)))


def as_toml(found: Sequence[Table]) -> str:
    """The tables as a TOML text that `load` would accept, each line with its origin."""
    lines = []
    for table in found:
        if table.name:
            lines += ["", f"[[{table.name}]]" if table.entry else f"[{table.name}]"]
        for setting in table.settings:
            if setting.value is None:
                lines.append(f"# {setting.key} is not set")
            else:
                text = f"{setting.key} = {toml_value(setting.value)}"
                lines.append(f"{text:<44}  # {setting.origin}")
    return "\n".join(lines) + "\n"


def as_json(found: Sequence[Table]) -> dict[str, Any]:
    """The same as plain data: section -> key -> {value, origin}, lists as lists."""
    result: dict[str, Any] = {"limits": [], "client_keys": [], "accounts": []}
    for table in found:
        keys = {s.key: {"value": s.value, "origin": s.origin} for s in table.settings}
        if not table.name:
            result.update(keys)
        elif table.entry:
            result[table.name].append(keys)
        else:
            result[table.name] = keys
    return result


def toml_value(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """One value in TOML's notation; JSON's strings, numbers and lists are also TOML's."""
    if isinstance(value, dict):
        pairs = [f"{json.dumps(str(k))} = {toml_value(v)}" for k, v in value.items()]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _settings(section: Section, given: Mapping[str, object]) -> Iterator[Setting]:
    values = section.model_dump(mode="json", by_alias=True)
    for attribute in type(section).model_fields:
        key = schema.key_of(type(section), attribute)
        origin = "command line" if key in given else _origin(section, attribute)
        yield Setting(key=key, value=values[key], origin=origin)


def _origin(section: Section, attribute: str) -> Origin:
    return "file" if attribute in section.model_fields_set else "default"


def _folder(loaded: Loaded, env: Mapping[str, str]) -> Setting:
    folder = str(derive.state_folder(loaded.config, env))
    if loaded.config.storage.folder is not None:
        return Setting(key="folder", value=folder, origin="file")
    origin: Origin = "environment" if env.get("MAXPOOL_HOME") else "default"
    return Setting(key="folder", value=folder, origin=origin)


def _account(account: AccountConfig) -> Iterator[Setting]:
    found = {"id": account.stable_id, "provider": derive.provider(account)}
    for setting in _settings(account, {}):
        value = setting.value
        if setting.key == "headers":
            value = {k: "..." if _SECRET_HEADER.search(k) else v for k, v in value.items()}
        elif setting.key == "serves":
            value = ["*"] if account.programs is None else sorted(account.programs)
        elif value is None:
            value = found.get(setting.key)
        yield Setting(key=setting.key, value=value, origin=setting.origin)


def _said(settings: Iterator[Setting]) -> list[Setting]:
    """Of a list entry only what says something: nothing that is unset or empty."""
    return [s for s in settings if s.value not in (None, [], {})]
