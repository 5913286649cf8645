"""A server that runs on by itself, started by a command that needs one. Standard library only.

It is an ordinary `maxpool serve` in a session of its own; its output goes to a file in the state
folder. Whoever starts it says so, and how to stop it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from maxpool.cli.server import ask
from maxpool.config.running import ADDRESS_NAME, Running, held, running
from maxpool.errors import MaxpoolError, NotRunning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LOG_NAME: Final = "serve.log"
START_S: Final = 30.0
"""How long a start may take; usually it is two seconds."""

LOOK_EVERY_S: Final = 0.05
PORTS_TRIED: Final = 10
"""The config's port and those behind it: enough for a few servers, few enough to find again."""

MAX_LOG_BYTES: Final = 8 << 20
"""The server begins a new file sooner, as its config says; this is for starts that fail before that."""

LAST_LINES: Final = 20


def answering(folder: Path, certificate: Path | None = None) -> Running | None:
    """The server of this state folder, if it answers; raises MaxpoolError where it does not."""
    found = running(folder)
    if found is not None:
        try:
            ask(found.url, "GET", "/healthz", headers={}, certificate=certificate)
        except NotRunning:
            if held(folder):
                raise
            return None  # it was killed, and its pid is another program's by now
    return found


def free_port(host: str, port: int) -> int:
    """The first free port from that one on; itself where none is, so that the server says who has it."""
    tried = range(port, min(port + PORTS_TRIED, 65536))
    return next((one for one in tried if _is_free(host, one)), port)


def _is_free(host: str, port: int) -> bool:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)
        for family, kind, proto, _, where in found:
            with socket.socket(family, kind, proto) as sock:
                if os.name == "posix":  # as the server does: what was closed lately is no obstacle
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(where)
    except OSError:
        return False
    return True


def start(
    folder: Path,
    config: Path,
    env: Mapping[str, str],
    certificate: Path | None,
    *,
    options: Sequence[str] = (),
    log: Path | None = None,
) -> Running:
    """Start a server for that config and wait until it answers; raises MaxpoolError.

    `config` is named to it only where the file exists: without one it starts without accounts.
    `options`: more of `maxpool serve`. `log`: where its output goes, else into the state folder.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_the_dead(folder)
    log = (log or folder / LOG_NAME).absolute()
    began = _make_room(log)
    named = ["--config", str(config.absolute())] if config.exists() else []
    # -P: its own folder, or any other, must not put modules before ours.
    words = ["serve", *named, "--log-file", str(log), *options]
    command = [sys.executable, "-P", "-m", "maxpool", *words]
    around = {**env, "MAXPOOL_HOME": str(folder.absolute())}
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(  # noqa: S603 - this very program
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=around,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    return _waited_for(child, folder, certificate, (log, began))


def _waited_for(
    child: subprocess.Popen[bytes],
    folder: Path,
    certificate: Path | None,
    log: tuple[Path, int],
) -> Running:
    ends = time.monotonic() + START_S  # noqa: TID251 - a command waits in real time
    while time.monotonic() < ends:  # noqa: TID251
        ended = child.poll() is not None
        found = running(folder)  # ours, or one that somebody else started at the same time
        if found is not None:
            with suppress(NotRunning):
                ask(found.url, "GET", "/healthz", headers={}, certificate=certificate)
                _not_twice(child, found)
                return found
        if ended and not held(folder):  # else another one starts, and will tell its address
            raise MaxpoolError(
                f"the server did not start:\n{_last_words(*log)}", "Mend that, then try again"
            )
        time.sleep(LOOK_EVERY_S)
    child.terminate()
    raise MaxpoolError(
        f"the server did not answer within {START_S:g} s:\n{_last_words(*log)}",
        f"Look into {log[0]}",
    )


def _not_twice(child: subprocess.Popen[bytes], serving: Running) -> None:
    """End the one that was started here where another one serves: it could not have the folder."""
    if os.name == "posix" and serving.pid != child.pid:  # elsewhere a launcher stands in between
        child.terminate()
        child.wait()


def _forget_the_dead(folder: Path) -> None:
    """Take away the address of a server that was killed: its pid may be another program's by now."""
    if (folder / ADDRESS_NAME).exists() and not held(folder):
        with suppress(OSError):
            (folder / ADDRESS_NAME).unlink()


def _make_room(log: Path) -> int:
    """Begin a new log when the old one is long; returns where the coming output begins."""
    try:
        size = log.stat().st_size
        if size <= MAX_LOG_BYTES:
            return size
        log.replace(log.with_name(f"{log.name}.1"))
    except OSError:
        return 0
    return 0


def _last_words(log: Path, began: int) -> str:
    """The end of what was written since then."""
    try:
        with log.open("rb") as file:
            file.seek(began)
            text = file.read(64 * 1024).decode("utf-8", "replace")
    except OSError as error:
        return f"  (its log cannot be read: {error.strerror})"
    lines = [line for line in text.splitlines() if line.strip()][-LAST_LINES:]
    return "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"
