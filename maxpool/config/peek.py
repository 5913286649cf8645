"""Where the server of a config file is reached, without checking the file. For the quick commands.

Standard library only. Whatever cannot be read or makes no sense falls back to the default: the
server that may be running started from an earlier, valid text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxpool.config.environment import config_path, state_folder
from maxpool.config.homes import Home, homes_in

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 3456
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listening anywhere, reached on loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class Peek:
    """How to reach the server; `keys` tells where its client keys are found, empty when it has none.

    `folder`: the state folder where the config names one. `homes`: its home accounts.
    `client_login`: whether clients' own logins are forwarded.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    tls_cert: Path | None = None
    keys: tuple[str, ...] = ()
    folder: Path | None = None
    homes: tuple[Home, ...] = ()
    client_login: bool = False

    @property
    def url(self) -> str:
        """The server's address as a client on this machine writes it."""
        host = _ANY.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"


def peek(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Peek:
    """Host, port and keys of the config at `path`, else of the file that holds by default."""
    found = path or config_path(environ)
    data = _data(found)
    server = _table(data.get("server"))
    host, port = server.get("host"), server.get("port")
    cert = server.get("tls_cert")
    named = _table(data.get("storage")).get("folder")
    folder = found.parent / Path(named).expanduser() if isinstance(named, str) else None
    return Peek(
        host=host if isinstance(host, str) and host else DEFAULT_HOST,
        port=port if isinstance(port, int) and 0 < port < 65536 else DEFAULT_PORT,
        tls_cert=found.parent / Path(cert).expanduser() if isinstance(cert, str) else None,
        keys=_keys(data.get("client_keys"), found.parent),
        folder=folder,
        homes=homes_in(data.get("accounts"), found.parent, folder or state_folder(environ)),
        client_login=_table(data.get("pool")).get("client_login", "off") != "off",
    )


def _data(path: Path) -> dict[str, Any]:
    import tomllib  # only here: every start pays for what stands above

    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError):  # ValueError: bad UTF-8 or bad TOML
        return {}


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _keys(value: object, folder: Path) -> tuple[str, ...]:
    """Each client key's reference (`env:NAME`, `file:PATH`), or "" where only its hash is known."""
    entries = [_table(entry) for entry in value] if isinstance(value, list) else []
    found = []
    for entry in entries:
        key = entry.get("key")
        text = key if isinstance(key, str) and key.startswith(("env:", "file:")) else ""
        if text.startswith("file:"):
            text = f"file:{folder / Path(text.removeprefix('file:')).expanduser()}"
        found.append(text)
    return tuple(found)
