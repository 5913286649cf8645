"""From one server process to the next on this machine: a pair of connected sockets between them.

Over it go lines of JSON and, once, open files: the lock of the state folder, the listening sockets. A
second pair, the lifeline, joins whoever serves with the first process, which its shell or supervisor
waits for. It knows neither pool nor server. Only where descriptors can be passed: not on Windows.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from maxpool.adapters import process
from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_LINE_BYTES = 64 << 20
"""One message: the longest names all leases that run, some 600 bytes each."""

MAX_DESCRIPTORS = 16
"""Far more than a lock, a lifeline and two listening sockets."""

END_S = 5.0
"""How long a process that was killed may take to be gone."""

_MARK = b"F"
"""The byte that the descriptors travel with."""

Document = dict[str, Any]


def possible() -> bool:
    """Whether this system can pass open sockets to another process."""
    return hasattr(socket, "send_fds") and hasattr(socket, "AF_UNIX")


class Channel:
    """Messages to and from the other process."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> Channel:
        """Begin to talk on the running loop."""
        self._reader, self._writer = await asyncio.open_unix_connection(
            sock=self._sock.dup(), limit=MAX_LINE_BYTES
        )
        return self

    def say(self, message: Document) -> None:
        """Send a message; where nobody is left to hear it, nothing happens."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n")

    async def hear(self) -> Document | None:
        """The next message; None when the other side is gone."""
        assert self._reader is not None
        try:
            line = await self._reader.readline()
            found = msgspec.json.decode(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def pass_on(self, descriptors: Sequence[int]) -> None:
        """Send open files, for `Offer.take` on the other side; raises OSError."""
        socket.send_fds(self._sock, [_MARK], list(descriptors))

    async def aclose(self) -> None:
        """Say the rest and hang up."""
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        self._sock.close()


@dataclass(slots=True)
class Child:
    """A process that was started to take over, and the channel to it."""

    process: subprocess.Popen[bytes]
    channel: Channel

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def kill(self) -> int | None:
        """End it, whatever it does; returns how it ended."""
        with suppress(OSError):
            self.process.kill()
        code = await self.ended()
        await self.channel.aclose()
        return code

    async def ended(self) -> int | None:
        """Its exit code, None when it does not end."""
        with suppress(subprocess.TimeoutExpired):
            return await asyncio.to_thread(self.process.wait, END_S)
        return None


async def start(options: Sequence[str]) -> Child:
    """Start `maxpool serve` with these options beside this process; raises OSError.

    It has this one's environment, working folder, input and output.
    """
    mine, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        env = {**process.environment(), process.HANDOVER_VARIABLE: str(number)}
        env.pop("WATCHDOG_PID", None)  # it names this process; the other is to be watched, too
        starting = asyncio.ensure_future(
            asyncio.to_thread(subprocess.Popen, command(options), env=env, pass_fds=(number,))
        )
        try:
            child = await asyncio.shield(starting)
        except BaseException as error:
            mine.close()
            if isinstance(error, asyncio.CancelledError):
                with suppress(OSError):  # `number` must stay ours until it has started
                    (await starting).kill()
            raise
    mine.setblocking(False)
    return Child(child, await Channel(mine).open())


def command(options: Sequence[str]) -> list[str]:
    """The command line of another `maxpool serve` by this very interpreter.

    -P: the working folder must not put modules before ours, unless maxpool itself lives there.
    """
    home = Path(__file__).resolve().parents[2]
    safe = [] if home == Path.cwd() else ["-P"]
    return [sys.executable, *safe, "-m", "maxpool", "serve", *options]


class Offer:
    """The new process's end, before its event loop runs: everything here blocks."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def say(self, message: Document) -> None:
        """Send a message; where nobody is left to hear it, nothing happens."""
        with suppress(OSError):
            self._sock.sendall(msgspec.json.encode(message) + b"\n")

    def take(self, within_s: float) -> list[int]:
        """The descriptors that are passed on; raises StateError when none come."""
        self._sock.settimeout(within_s)
        try:
            mark, found, _, _ = socket.recv_fds(self._sock, 1, MAX_DESCRIPTORS)
        except OSError:
            mark, found = b"", []
        if mark != _MARK:
            raise StateError("the server that started this one serves on", "Nothing is to be done")
        for descriptor in found:
            os.set_inheritable(descriptor, False)
        self._sock.setblocking(False)
        return found

    def channel(self) -> Channel:
        """The same connection, for the event loop."""
        return Channel(self._sock)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()


def offered() -> Offer | None:
    """The end of the channel that this process was started with; None for an ordinary start."""
    number = process.take_handover()
    if number is None:
        return None
    try:
        os.set_inheritable(number, False)
        return Offer(socket.socket(fileno=number))
    except OSError:  # no such descriptor: the variable came from somewhere else
        return None


class Lifeline:
    """One end of the lifeline. Down go single letters, up goes `pid N` and `exit N`, a line each."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)

    def say(self, text: str) -> None:
        """Tell the other end; where nobody is left to hear it, nothing happens."""
        with suppress(OSError):
            self.sock.send(text.encode("ascii"))

    def listen(self, heard: Callable[[str], None]) -> None:
        """Hand over what comes, "" at the end, until `pause`."""
        asyncio.get_running_loop().add_reader(self.sock, self._read, heard)

    def pause(self) -> None:
        """What comes is somebody else's to read."""
        asyncio.get_running_loop().remove_reader(self.sock)

    def close(self) -> None:
        """Let go of it."""
        self.sock.close()

    def _read(self, heard: Callable[[str], None]) -> None:
        try:
            text = self.sock.recv(4096).decode("ascii", "replace")
        except BlockingIOError:
            return
        except OSError:
            text = ""
        if not text:
            self.pause()
        heard(text)
