"""Other programs' config files: where each lies, where it leads now, and pointing it here.

The file as it was is kept beside it before the first change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from maxpool.adapters.clientsettings import read_text, write_text
from maxpool.config import environment
from maxpool.config.clientfiles import Client, Wanted, patched, points_at
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Mapping

BACKUP: Final = ".before-maxpool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patched:
    """What came of a change; `backup` None where there was no file before, or a copy of it already."""

    path: Path
    changed: bool
    backup: Path | None = None


def place_of(client: Client, env: Mapping[str, str] | None = None) -> Path:
    """The client's config file, whether it is there or not."""
    around = environment.environ() if env is None else env
    home = Path(around["HOME"]) if around.get("HOME") else Path.home()
    if client == "claude-code":
        return Path(around.get("CLAUDE_CONFIG_DIR") or home / ".claude") / "settings.json"
    if client == "codex":
        return Path(around.get("CODEX_HOME") or home / ".codex") / "config.toml"
    if around.get("OPENCODE_CONFIG"):
        return Path(around["OPENCODE_CONFIG"])
    folder = Path(around.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"
    with_comments = folder / "opencode.jsonc"
    return with_comments if with_comments.exists() else folder / "opencode.json"


def leads_to(client: Client, env: Mapping[str, str] | None = None) -> str | None:
    """Where the client goes now: what the environment says, else its file; None: to its usual place."""
    around = environment.environ() if env is None else env
    if client == "claude-code" and around.get("ANTHROPIC_BASE_URL"):
        return around["ANTHROPIC_BASE_URL"]
    return points_at(client, read_text(place_of(client, around)))


def installed(client: Client, env: Mapping[str, str] | None = None) -> bool:
    """Whether the client is used here: its config folder is there."""
    return place_of(client, env).parent.is_dir()


def write(client: Client, wanted: Wanted, env: Mapping[str, str] | None = None) -> Patched:
    """Point the client at the server; a file that cannot be read stays untouched."""
    path = place_of(client, env)
    text = read_text(path)
    try:
        after = patched(client, text, wanted)
    except (ValueError, RecursionError) as error:
        raise MaxpoolError(
            f"{path} cannot be changed: {error}",
            f"Add by hand what this prints: maxpool doctor --patch {client}",
        ) from error
    if after == text:
        return Patched(path=path, changed=False)
    backup = path.with_name(f"{path.name}{BACKUP}")
    kept = bool(text) and not backup.exists()
    if kept:
        write_text(backup, text)
    write_text(path, after)
    return Patched(path=path, changed=True, backup=backup if kept else None)
