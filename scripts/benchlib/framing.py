"""HTTP/1.1 messages on a connection, one after the other: as much of it as a lab needs, and as fast.

Knows lengths, chunks and answers that end with their connection; checks nothing else, since a lab that
costs more than what it measures would measure itself.
"""

import asyncio

TO_THE_END = 1 << 62
"""Bytes left of a body that only the end of its connection ends."""


BODYLESS = (b"100", b"103", b"204", b"304")


class Framing(asyncio.Protocol):
    """Cuts what arrives into heads and pieces of bodies; `on_head`, `on_body` and `on_end` get them."""

    answers = False
    """Whether this side reads answers, which without a length last as long as the connection."""

    def __init__(self):
        self.rest = b""
        self.left = 0
        self.step = self._head

    def on_head(self, head):
        """A head, without its empty line."""

    def on_body(self, piece):
        """A piece of the body, framing removed."""

    def on_end(self):
        """The message is complete."""

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        if self.left > TO_THE_END // 2 and exc is None:
            self._end()

    def data_received(self, data):
        if self.rest:
            data, self.rest = self.rest + data, b""
        at, size = 0, len(data)
        while at < size:
            took = self.step(data, at)
            if not took:
                self.rest = data[at:]
                return
            at += took

    def _head(self, data, at):
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            return 0
        head = data[at:end]
        fields = head.lower()
        self.on_head(head)
        found = fields.find(b"\r\ncontent-length:")
        if found >= 0:
            self.left = int(fields[found + 17 :].split(b"\r\n", 1)[0])
            self._body_or_end()
        elif b"\r\ntransfer-encoding:" in fields:
            self.step = self._size
        elif self.answers and head[9:12] not in BODYLESS:
            self.left, self.step = TO_THE_END, self._body
        else:
            self._end()
        return end + 4 - at

    def _body_or_end(self):
        if self.left:
            self.step = self._body
        else:
            self._end()

    def _end(self):
        self.left, self.step = 0, self._head
        self.on_end()

    def _body(self, data, at):
        piece = data[at : at + self.left]
        self.left -= len(piece)
        self.on_body(piece)
        if not self.left:
            self._end()
        return len(piece)

    def _size(self, data, at):
        end = data.find(b"\r\n", at)
        if end < 0:
            return 0
        self.left = int(data[at:end].split(b";", 1)[0], 16)
        self.step = self._chunk if self.left else self._trailer
        return end + 2 - at

    def _chunk(self, data, at):
        piece = data[at : at + self.left]
        if piece:
            self.left -= len(piece)
            self.on_body(piece)
            return len(piece)
        if len(data) - at < 2:
            return 0
        self.step = self._size
        return 2

    def _trailer(self, data, at):
        end = data.find(b"\r\n", at)
        if end < 0:
            return 0
        if end == at:
            self._end()
        return end + 2 - at
