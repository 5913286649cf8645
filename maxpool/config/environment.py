"""The process's environment, read in one place for settings and commands.

Standard library only, because `maxpool env` and `maxpool status` start through here. It reads;
it never sets a variable. Every function takes the mapping to read, so tests need no global.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def environ() -> Mapping[str, str]:
    """The environment of this process."""
    return os.environ


def config_path(env: Mapping[str, str] | None = None) -> Path:
    """Where the config file is looked for: $MAXPOOL_CONFIG, else the platform's config folder."""
    env = environ() if env is None else env
    named = env.get("MAXPOOL_CONFIG")
    if named:
        return Path(named).expanduser()
    return _folder(env, "XDG_CONFIG_HOME", ".config", "user_config_path") / "config.toml"


def state_folder(env: Mapping[str, str] | None = None) -> Path:
    """Where state rests by default: $MAXPOOL_HOME, else the platform's state folder."""
    env = environ() if env is None else env
    named = env.get("MAXPOOL_HOME")
    if named:
        return Path(named).expanduser()
    return _folder(env, "XDG_STATE_HOME", ".local/state", "user_state_path")


def no_color(env: Mapping[str, str] | None = None) -> bool:
    """Whether the user asked for plain text (no-color.org: set and not empty)."""
    return bool((environ() if env is None else env).get("NO_COLOR"))


def shell_name(env: Mapping[str, str] | None = None) -> str:
    """The name of the user's shell (`bash`, `fish`, ...); empty when nothing tells."""
    env = environ() if env is None else env
    shell = env.get("SHELL", "")
    if not shell and env.get("PSModulePath"):
        return "powershell"
    return Path(shell).name.removesuffix(".exe")


def client_key(env: Mapping[str, str] | None = None) -> str | None:
    """The key commands send to a server that requires one: $MAXPOOL_KEY."""
    return (environ() if env is None else env).get("MAXPOOL_KEY") or None


def admin_key(env: Mapping[str, str] | None = None) -> str | None:
    """The admin key for a server whose state folder is not here: $MAXPOOL_ADMIN_KEY."""
    return (environ() if env is None else env).get("MAXPOOL_ADMIN_KEY") or None


def focus_models(env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The models to keep warm, with commas between them: $MAXPOOL_FOCUS_MODELS."""
    given = (environ() if env is None else env).get("MAXPOOL_FOCUS_MODELS", "")
    return tuple(word.strip() for word in given.split(",") if word.strip())


def succeeds(env: Mapping[str, str] | None = None) -> bool:
    """Whether a running server started this process to take its place."""
    return bool((environ() if env is None else env).get("MAXPOOL_HANDOVER"))


def _folder(env: Mapping[str, str], variable: str, under_home: str, elsewhere: str) -> Path:
    # Written out for Linux, where the rule is one line (XDG base directory specification), so that
    # the quick commands need no import beyond the standard library.
    if sys.platform.startswith("linux"):
        home = Path(env["HOME"]) if env.get("HOME") else Path.home()
        base = env.get(variable, "").strip()
        return (Path(base) if base else home / under_home) / "maxpool"
    import platformdirs

    found: Path = getattr(platformdirs, elsewhere)("maxpool", appauthor=False)
    return found
