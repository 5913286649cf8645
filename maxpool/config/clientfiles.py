"""What the config files of other programs say to point them at maxpool. Text in, text out.

Claude Code's `settings.json` (its `env`), Codex's `config.toml` (a model provider of ours, made the one
in use), OpenCode's `opencode.json` (a provider of ours). Everything else in a file stays as it is written.
"""

from __future__ import annotations

import json
import shlex
import tomllib
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from maxpool.config import edit
from maxpool.config.jsontext import parsed, with_key

Client = Literal["claude-code", "codex", "opencode"]
CLIENTS: Final[tuple[Client, ...]] = ("claude-code", "codex", "opencode")
TITLES: Final = {"claude-code": "Claude Code", "codex": "Codex", "opencode": "OpenCode"}
NAME: Final = "maxpool"
KEY_VARIABLE: Final = "MAXPOOL_KEY"
ANY_TOKEN: Final = "maxpool"  # noqa: S105 - any text will do where no key is asked for
SCHEMA: Final = "https://opencode.ai/config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a client is to reach the server.

    `key_env` or `key_file`: where the client key is found, both None where none is asked for.
    `own_login`: Claude Code goes on with its own login. `model`: make that the client's model.
    `models`: names that OpenCode offers.
    """

    url: str
    key_env: str | None = None
    key_file: str | None = None
    own_login: bool = False
    model: str | None = None
    models: tuple[str, ...] = ()

    @property
    def needs_key(self) -> bool:
        """Whether the server asks callers for a key."""
        return self.key_env is not None or self.key_file is not None


def patched(client: Client, text: str, wanted: Wanted) -> str:
    """The file's text, pointing at the server; raises ValueError or MaxpoolError for a text that is wrong."""
    if client == "codex":
        return _codex(text, wanted)
    change = _claude_code if client == "claude-code" else _opencode
    return change(text if text.strip() else "{}\n", wanted)


def points_at(client: Client, text: str) -> str | None:
    """The address that the file sends its client to, None where it names none or cannot be read."""
    try:
        data = tomllib.loads(text) if client == "codex" else parsed(text if text.strip() else "{}")
    except (ValueError, RecursionError):
        return None
    found: object = None
    if client == "claude-code":
        found = _at(data, "env", "ANTHROPIC_BASE_URL")
    elif client == "codex":
        found = _at(data, "model_providers", str(data.get("model_provider")), "base_url")
    else:
        found = _at(data, "provider", NAME, "options", "baseURL") or _at(
            data, "provider", "anthropic", "options", "baseURL"
        )
    return found if isinstance(found, str) else None


def same_server(one: str, other: str) -> bool:
    """Whether two addresses lead to the same port here, however the machine and the path are written."""
    try:
        first, second = urlsplit(one), urlsplit(other)
        ports = first.port, second.port
    except ValueError:
        return False
    hosts = {_host(first.hostname), _host(second.hostname)}
    return ports[0] == ports[1] and len(hosts) == 1


def _host(name: str | None) -> str:
    return "here" if name in ("127.0.0.1", "::1", "localhost") else name or ""


def _at(data: Any, *path: str) -> object:  # noqa: ANN401 - whatever the file holds
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _claude_code(text: str, wanted: Wanted) -> str:
    data = parsed(text)
    held = data.get("env")
    env = dict(held) if isinstance(held, dict) else {}
    env["ANTHROPIC_BASE_URL"] = wanted.url
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"):
        env.pop(name, None)  # in place of a login, or beside the key that the helper gives
    if not wanted.own_login:
        env["ENABLE_PROMPT_CACHING_1H"] = "1"
        if not wanted.needs_key:
            env["ANTHROPIC_AUTH_TOKEN"] = ANY_TOKEN
    if wanted.model is not None:
        text = with_key(text, "model", wanted.model)
    if wanted.needs_key and not wanted.own_login:
        text = with_key(text, "apiKeyHelper", _shown_by_shell(wanted))
    return with_key(text, "env", env)


def _shown_by_shell(wanted: Wanted) -> str:
    if wanted.key_file is not None:
        return f"cat {shlex.quote(wanted.key_file)}"
    return f'printf %s "${wanted.key_env}"'


def _codex(text: str, wanted: Wanted) -> str:
    section = f"model_providers.{NAME}"
    values: dict[str, object] = {
        "name": NAME,
        "base_url": f"{wanted.url}/v1",
        "wire_api": "responses",  # the only one it takes
        "env_key": (wanted.key_env or KEY_VARIABLE) if wanted.needs_key else None,
    }
    text = edit.set_value(text, "", "model_provider", NAME)
    if wanted.model is not None:
        text = edit.set_value(text, "", "model", wanted.model)
    for key, value in values.items():
        text = edit.set_value(text, section, key, value)
    return text


def _opencode(text: str, wanted: Wanted) -> str:
    data = parsed(text)
    held = data.get("provider")
    providers = dict(held) if isinstance(held, dict) else {}
    before = providers.get(NAME)
    models = dict(before.get("models") or {}) if isinstance(before, dict) else {}
    for name in (*wanted.models, *((wanted.model,) if wanted.model else ())):
        models.setdefault(name, {})
    providers[NAME] = {
        "npm": "@ai-sdk/anthropic",
        "name": NAME,
        "options": {"baseURL": f"{wanted.url}/v1", "apiKey": _reference(wanted)},
        "models": models,
    }
    if "$schema" not in data and not data:
        text = with_key(text, "$schema", SCHEMA)
    if wanted.model is not None:
        text = with_key(text, "model", f"{NAME}/{wanted.model}")
    return with_key(text, "provider", providers)


def _reference(wanted: Wanted) -> str:
    """How OpenCode finds the key."""
    if wanted.key_file is not None:
        return f"{{file:{wanted.key_file}}}"
    return f"{{env:{wanted.key_env}}}" if wanted.key_env is not None else ANY_TOKEN


def shown(client: Client, wanted: Wanted) -> str:
    """The lines that matter, as they would stand in an empty file."""
    return patched(client, "" if client == "codex" else "{}\n", wanted)


def as_json(client: Client, text: str) -> dict[str, Any]:
    """The text as plain data."""
    found: dict[str, Any] = tomllib.loads(text) if client == "codex" else json.loads(text)
    return found
