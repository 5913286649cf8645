"""One connection of the load generator: asks, reads the answer, and tells when it is complete."""

import asyncio
import re
import socket
import struct
import time

from benchlib.framing import Framing

STAMP = re.compile(rb"t=(\d+);")
STOP = b"event: message_stop"
AT_ONCE = struct.pack("ii", 1, 0)
TAIL = 32
"""Bytes kept from the last piece, so that a stamp or the stop may be split anywhere."""


class Connection(Framing):
    """Times are monotonic nanoseconds; `finished(connection)` is called once for each request asked."""

    answers = True

    def __init__(self):
        super().__init__()
        self.finished = None  # of the request that is being answered
        self.on_event = None
        self.lost = False

    def ask(self, data, finished, on_event=None):
        """Send a request; `on_event(arrived_ns, stamps_ns)` gets the events of a stream."""
        self.finished, self.on_event = finished, on_event
        self.status, self.size, self.tail = 0, 0, b""
        self.events, self.stopped, self.closing = 0, False, False
        self.good_end = False
        self.sent_ns = time.monotonic_ns()
        self.transport.write(data)

    def data_received(self, data):
        self.now_ns = time.monotonic_ns()
        super().data_received(data)

    def on_head(self, head):
        self.status = int(head[9:12])
        self.closing = b"connection: close" in head.lower()

    def on_body(self, piece):
        self.size += len(piece)
        if self.on_event is None:
            return
        text = self.tail + piece
        end, stamps = 0, []
        for match in STAMP.finditer(text):
            stamps.append(int(match[1]))
            end = match.end()
        if stamps:
            self.events += len(stamps)
            self.on_event(self.now_ns, stamps)
        self.stopped = self.stopped or STOP in text
        self.tail = text[max(end, len(text) - TAIL) :]

    def on_end(self):
        if self.status < 200:  # an interim answer: the real one follows
            return
        self.good_end = True
        self._tell()

    def connection_lost(self, exc):
        super().connection_lost(exc)
        self.lost = True
        self._tell()

    def _tell(self):
        finished, self.finished = self.finished, None
        if finished is not None:
            finished(self)

    @property
    def took_s(self):
        return (self.now_ns - self.sent_ns) / 1e9

    @property
    def answered(self):
        """A complete answer of status 200."""
        return self.good_end and self.status == 200

    def reset(self):
        """End the connection at once, unread data dropped: the peer gets a reset."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.transport.abort()


async def connect(port):
    _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return made


async def fetch(port, path):
    """The body of one GET, read whole."""
    made, done, parts = await connect(port), asyncio.get_running_loop().create_future(), []
    made.ask(b"GET %s HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" % path, lambda _: done.set_result(None))
    made.on_body = parts.append
    try:
        async with asyncio.timeout(10):
            await done
    finally:
        made.transport.abort()
    return made.status, b"".join(parts)


async def paced(count, rate, start):
    """Call `start(number, due_ns)` at fixed times, whatever became of the earlier ones."""
    began = time.monotonic_ns() + 20_000_000
    for number in range(count):
        due = began + number * 1_000_000_000 // rate
        early_s = (due - time.monotonic_ns()) / 1e9
        if early_s > 0:
            await asyncio.sleep(early_s)
        start(number, due)
    return began
