"""`maxpool ARGUMENTS` in a process that notes where it connects, and breaks where a test says so.

Notes into the file `$WATCHED_TO`, a JSON line an event. On asyncio's own loop: of uvloop's connections
Python's audit events know nothing. A header `x-break-here` from the upstream, a session of that name and
a reload of a config that says so raise exceptions which quote all they have at hand.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

EVENTS = frozenset(
    {
        *("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"),
        *("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"),
    }
)
BREAK = "x-break-here"


def watch(path: str) -> None:
    """Note every event from now on."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(event: str, values: tuple[Any, ...]) -> None:
        if event in EVENTS:
            shown = values[1] if event in ("socket.connect", "socket.sendto") else values[0]
            os.write(file, json.dumps([event, shown], default=str).encode() + b"\n")

    sys.addaudithook(note)


def set_charges() -> None:
    """Have maxpool break inside, in three places that a request or a person reaches."""
    from maxpool.app.build import Maxpool
    from maxpool.core.pool import Pool
    from maxpool.service.operate import Operator

    observe, session_key, settle = Pool.observe, Operator.session_key, Maxpool.settle

    def observing(pool: Any, account_id: str, headers: Any, *more: Any, **named: Any) -> Any:
        if BREAK in headers:
            raise RuntimeError(f"{headers!r} {sys._getframe(1).f_locals!r}")
        return observe(pool, account_id, headers, *more, **named)

    def finding(operator: Any, wanted: str) -> str:
        if wanted.startswith(BREAK):
            raise RuntimeError(f"{wanted} {sys._getframe(2).f_locals!r}")
        return session_key(operator, wanted)

    def settling(built: Any) -> None:
        settle(built)
        if any(BREAK in entry.headers for entry in built.roster.config.accounts):
            raise RuntimeError(repr(built.roster.config))

    Pool.observe = observing  # type: ignore[method-assign,assignment]
    Operator.session_key = finding  # type: ignore[method-assign,assignment]
    Maxpool.settle = settling  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    watch(os.environ["WATCHED_TO"])
    sys.modules["uvloop"] = None  # type: ignore[assignment]
    if sys.argv[1:2] == ["serve"]:
        set_charges()
    from maxpool.__main__ import main

    main()
