"""The HTTP clients of the data path, by the names the config knows them by.

Each is imported when it is chosen: the other's library costs neither time nor memory then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.config.fields import HttpClient
    from maxpool.ports import Upstream


def client_named(name: HttpClient, *, keepalive_expiry_s: float, ca_file: str | None) -> Upstream:
    """A new client of that name; raises MaxpoolError when `ca_file` cannot be used."""
    match name:
        case "builtin":
            from maxpool.adapters.http11 import DirectUpstream

            return DirectUpstream(keepalive_expiry_s=keepalive_expiry_s, ca_file=ca_file)
        case "httpx":
            from maxpool.adapters.upstream import HttpUpstream

            return HttpUpstream(keepalive_expiry_s=keepalive_expiry_s, ca_file=ca_file)
