"""`maxpool serve --detach`: a server that stays when its terminal goes.

Checks the config here, where its errors are seen at once; starting and waiting is `background`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.cli import background
from maxpool.config import environment
from maxpool.config.derive import state_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maxpool.config.load import Loaded


def detached(loaded: Loaded, confirm: Sequence[str] = ()) -> str:
    """Start it unless it runs; returns what to tell. Raises MaxpoolError when it does not start."""
    server, given = loaded.config.server, loaded.overrides
    folder = state_folder(loaded.config)
    alive = background.answering(folder, server.tls_cert)
    if alive is not None:
        return f"maxpool runs already at {alive.url} (process {alive.pid})."
    port = server.port
    if given.port is None and port:
        port = background.free_port(server.host, port)
    log = given.log_file or folder / background.LOG_NAME
    started = background.start(
        folder,
        loaded.path or environment.config_path(),
        environment.environ(),
        server.tls_cert,
        options=_options(loaded, port, confirm),
        log=log,
    )
    lines = [
        f"maxpool listens on {started.url} (process {started.pid}).",
        f"Log: {log}. Stop it with: maxpool stop",
    ]
    if port != server.port:
        lines.insert(0, f"Port {server.port} is taken: port {port} is used instead.")
    return "\n".join(lines)


def _options(loaded: Loaded, port: int, confirm: Sequence[str]) -> list[str]:
    given = loaded.overrides
    found = [word for name in confirm for word in ("--confirm", name)]
    for option, value in (("--host", given.host), ("--log-level", given.log_level)):
        if value is not None:
            found += [option, value]
    if given.port is not None or port != loaded.config.server.port:
        found += ["--port", str(port)]
    return found
