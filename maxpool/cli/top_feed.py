"""The pool's news for `maxpool top`: the live feed, else a look each second; reconnects until it is closed.

Runs in a thread of its own and blocks there. Draws nothing, keeps nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from maxpool.cli.server import listen
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from maxpool.cli.status import Source

    Tell = Callable[[str, Any], None]

SILENCE_S: Final = 40.0
"""The feed says something every 15 seconds; more than two of them missed, and nobody is there."""

AGAIN_S: Final = 1.0
"""Between two tries to connect, and between two looks where there is no feed."""


class Feed:
    """Tells each event by its name; `status` is a whole document, `gone` why there is no answer."""

    def __init__(self, find: Callable[[], Source], tell: Tell) -> None:
        self._find, self._tell = find, tell
        self._over = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def start(self) -> None:
        """Begin; the thread ends no later than the process."""
        threading.Thread(target=self.run, name="top feed", daemon=True).start()

    def close(self) -> None:
        """No more news."""
        self._over.set()
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Tell what comes until it is closed; the server is looked for anew after each loss."""
        while not self._over.is_set():
            try:
                source = self._find()
                if not self._follow(source):
                    self._tell("status", source.look())
            except MaxpoolError as error:
                self._say_gone(error.message)
            except (OSError, http.client.HTTPException, ValueError):
                self._say_gone("the connection to the server was lost")
            self._over.wait(AGAIN_S)

    def _follow(self, source: Source) -> bool:
        """Tell the feed's events; False when this server lets nobody listen (now)."""
        headers = {"accept": "text/event-stream"}
        if source.key:
            headers["x-maxpool-key"] = source.key
        self._connection, answer = listen(
            source.url,
            "/events",
            headers=headers,
            certificate=source.certificate,
            timeout_s=SILENCE_S,
        )
        try:
            if answer.status != http.client.OK:
                return False
            for name, data in events(answer):
                self._tell(name, data)
        finally:
            self._connection.close()
        raise http.client.HTTPException("the feed has ended")

    def _say_gone(self, why: str) -> None:
        if not self._over.is_set():
            self._tell("gone", why)


def events(lines: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """Name and JSON of each event of a stream (WHATWG HTML section 9.2); comments are passed over."""
    name, data = "message", []
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        kind, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if kind == "event":
            name = value
        elif kind == "data":
            data.append(value)
        elif not text:
            if data:
                yield name, json.loads("\n".join(data))
            name, data = "message", []
