"""Read the config file: find it, parse it, check it whole, and say everything that is wrong at once.

The only place that reads the file. A missing default file means defaults and no account; a missing
file that somebody named is an error.
"""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from maxpool.config import checks, environment
from maxpool.config.account import AccountConfig, ClientKeyConfig
from maxpool.config.fields import Section
from maxpool.config.model import Config, ProbesConfig, QueueConfig, ServerConfig, UpstreamConfig
from maxpool.config.names import AliasConfig, SetConfig
from maxpool.config.oauth import OAuthProfileConfig
from maxpool.config.problems import Describer, from_syntax, plain_words
from maxpool.config.providers import with_shared
from maxpool.config.upgrade import upgraded
from maxpool.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

M = TypeVar("M", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line says instead of the file; kept so that a reload applies it again."""

    host: str | None = None
    port: int | None = None
    log_level: str | None = None
    log_file: Path | None = None  # no setting: who starts a server says where its output goes

    def by_section(self) -> dict[str, dict[str, Any]]:
        """The given ones as the file would hold them."""
        given: dict[str, dict[str, Any]] = {
            "server": {"host": self.host, "port": self.port},
            "logging": {"level": self.log_level},
        }
        kept = {
            section: {key: value for key, value in keys.items() if value is not None}
            for section, keys in given.items()
        }
        return {section: keys for section, keys in kept.items() if keys}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A checked config and where it came from; `path` is None when no file exists."""

    config: Config
    path: Path | None
    overrides: Overrides = Overrides()


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Overrides | None = None,
) -> Loaded:
    """Read and check the config at `path`, else where the environment or the platform says.

    Raises `ConfigError` with every problem found, in file order; its hint repeats `path`.
    """
    try:
        return _load(path, environ, overrides or Overrides())
    except ConfigError as error:
        if path is not None:
            error.hint = f"{error.hint} --config {shlex.quote(str(path))}"
        raise


def _load(path: Path | None, environ: Mapping[str, str] | None, overrides: Overrides) -> Loaded:
    env = environment.environ() if environ is None else environ
    named = path is not None or bool(env.get("MAXPOOL_CONFIG"))
    found = (path or environment.config_path(env)).absolute()
    if not named and not found.exists():
        return Loaded(config=parse("", found, overrides), path=None, overrides=overrides)
    config = parse(_read(found), found, overrides)
    return Loaded(config=config, path=found, overrides=overrides)


def parse(text: str, path: Path, overrides: Overrides | None = None) -> Config:
    """The config in `text`; `path` is for messages and for relative paths in it.

    Raises `ConfigError` with every problem found, in file order.
    """
    text = upgraded(text)
    try:
        data = with_shared(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([from_syntax(str(path), text, error)]) from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, endless nesting
        raise ConfigError([_unreadable(str(path), error)]) from None
    context = {"folder": path.parent}
    try:
        config = _validate(Config, data, context)
    except ValidationError as error:
        describe = Describer(str(path), text)
        problems = describe.from_pydantic(error.errors(include_url=False))
        problems += describe.from_findings(checks.find(_salvage(data, context)))
        raise _all(problems) from None  # the cause would print values, and a value may be a secret
    findings = list(checks.find(_parts(config, data)))
    if findings:
        raise _all(Describer(str(path), text).from_findings(findings))
    return _override(config, overrides or Overrides())


def _unreadable(path: str, error: Exception) -> ConfigProblem:
    what = (
        "is nested too deeply" if isinstance(error, RecursionError) else "holds a number too long"
    )
    return ConfigProblem(path=path, line=0, text="", message=what, hint="write it in plain TOML")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        message, hint = (
            "there is no such file",
            "add an account: `maxpool login NAME --api-key` makes it (or name another file)",
        )
    except UnicodeDecodeError:
        message, hint = "is not UTF-8 text", "save it as UTF-8"
    except OSError as error:
        message, hint = f"cannot be read: {error.strerror}", "check the path and its permissions"
    problem = ConfigProblem(path=str(path), line=0, text="", message=message, hint=hint)
    raise ConfigError([problem])


def _all(problems: list[ConfigProblem]) -> ConfigError:
    return ConfigError(sorted(problems, key=lambda problem: problem.line))


def _validate(model: type[M], data: object, context: Mapping[str, object]) -> M:
    return model.model_validate(data, context=context, by_alias=True, by_name=False)


def _parts(config: Config, data: Mapping[str, object]) -> checks.Parts:
    return checks.Parts(
        server=config.server,
        upstream=config.upstream,
        queue=config.queue,
        probes=config.probes,
        oauth=config.oauth,
        failures=config.failures,
        aliases=config.aliases,
        sets=config.sets,
        accounts=tuple(enumerate(config.accounts)),
        client_keys=tuple(enumerate(config.client_keys)),
        names=_names(data),
    )


def _salvage(data: Mapping[str, object], context: Mapping[str, object]) -> checks.Parts:
    """The parts of an invalid file that are valid by themselves."""

    def section(model: type[M], name: str) -> M | None:
        return _attempt(model, data.get(name, {}), context)

    def entries(model: type[M], name: str) -> list[tuple[int, M]]:
        raw = data.get(name)
        tried = [_attempt(model, item, context) for item in raw] if isinstance(raw, list) else []
        return [(index, item) for index, item in enumerate(tried) if item is not None]

    raw_profiles = data.get("oauth", {})
    profiles = {
        name: profile
        for name, raw in (raw_profiles.items() if isinstance(raw_profiles, dict) else ())
        if (profile := _attempt(OAuthProfileConfig, raw, context)) is not None
    }

    def named(model: type[M], name: str) -> dict[str, M]:
        raw = data.get(name)
        tried = (
            {n: _attempt(model, one, context) for n, one in raw.items()}
            if isinstance(raw, dict)
            else {}
        )
        return {n: one for n, one in tried.items() if one is not None}

    all_valid = isinstance(raw_profiles, dict) and len(profiles) == len(raw_profiles)
    keys = entries(ClientKeyConfig, "client_keys")
    # A wrong [[client_keys]] entry must not also read as "there is no key".
    keys_unknown = "client_keys" in data and not keys
    return checks.Parts(
        server=None if keys_unknown else section(ServerConfig, "server"),
        upstream=section(UpstreamConfig, "upstream"),
        queue=section(QueueConfig, "queue"),
        probes=section(ProbesConfig, "probes"),
        oauth=profiles if all_valid else None,
        aliases=named(AliasConfig, "aliases"),
        sets=named(SetConfig, "sets"),
        accounts=entries(AccountConfig, "accounts"),
        client_keys=keys,
        names=_names(data),
    )


def _names(data: Mapping[str, object]) -> list[tuple[str, int, str]]:
    found = []
    for section in ("accounts", "client_keys"):
        raw = data.get(section)
        for index, entry in enumerate(raw if isinstance(raw, list) else []):
            name = entry.get("name") if isinstance(entry, dict) else None
            if isinstance(name, str):
                found.append((section, index, name))
    return found


def _attempt(model: type[M], data: object, context: Mapping[str, object]) -> M | None:
    try:
        return _validate(model, data, context)
    except ValidationError:
        return None


def _override(config: Config, overrides: Overrides) -> Config:
    """Command-line values in place of the file's; they are checked by the same types."""
    for name, values in overrides.by_section().items():
        section: Section = getattr(config, name)
        try:
            checked = type(section).model_validate({**section.model_dump(), **values})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            option = str(first["loc"][-1])
            message = plain_words(first, (name, option))[0]
            problem = ConfigProblem(
                path="command line", line=0, text="", message=f"{option} {message}"
            )
            raise ConfigError([problem]) from None
        changed = {key: getattr(checked, key) for key in values}
        config = config.model_copy(update={name: section.model_copy(update=changed)})
    return config
