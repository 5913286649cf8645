"""The load generator: raw asyncio protocols that verify every answer they time.

Nothing here is an HTTP library; a client that costs more than the proxy would measure itself.
"""

import asyncio
import json
import re
import time
from dataclasses import dataclass, field

STAMP = re.compile(rb"t=(\d+);")
ANSWER_LIMIT_S = 60.0

HEADERS = (
    b"accept: application/json\r\nuser-agent: claude-cli/2.0.0 (external, cli)\r\n"
    b"x-app: cli\r\nanthropic-version: 2023-06-01\r\nx-api-key: bench\r\n"
    b"anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14\r\n"
    b"x-stainless-lang: js\r\nx-stainless-os: Linux\r\nx-stainless-retry-count: 0\r\n"
    b"x-stainless-runtime: node\r\nx-stainless-timeout: 600\r\ncontent-type: application/json\r\n"
)


def request(size, number, stream=False):
    """One Messages request with a body of `size` bytes, in a session of its own."""
    body = {"model": "claude-sonnet-4-5", "stream": stream, "max_tokens": 64}
    body["messages"] = [{"role": "user", "content": ""}]
    text = json.dumps(body, separators=(",", ":"))
    text = text.replace('"content":""', '"content":"%s"' % ("x" * max(0, size - len(text))))
    session = b"x-claude-code-session-id: 00000000-0000-4000-8000-%012d\r\n" % number
    line = b"POST /v1/messages?beta=true HTTP/1.1\r\nhost: 127.0.0.1\r\n"
    return line + HEADERS + session + b"content-length: %d\r\n\r\n%s" % (len(text), text.encode())


@dataclass(slots=True)
class Answer:
    """What came back; times in monotonic nanoseconds."""

    sent_at: int
    status: int = 0
    body_bytes: int = 0
    first_at: int = 0
    done_at: int = 0
    delays_ns: list = field(default_factory=list)
    stopped: bool = False


class Client(asyncio.Protocol):
    """One connection; `ask` sends one request and waits for its whole answer."""

    def __init__(self):
        self.buffer = bytearray()
        self.waiter = None
        self.lost = False

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        self.lost = True
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(ConnectionError("the connection ended before the answer"))

    async def ask(self, data, streaming=False):
        self.answer = Answer(time.monotonic_ns())
        self.streaming, self.tail = streaming, b""
        self.left = None  # bytes left of the body or of the chunk; None: a head or a size is next
        self.chunked = False
        self.in_head = True
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        async with asyncio.timeout(ANSWER_LIMIT_S):
            await self.waiter
        return self.answer

    def data_received(self, data):
        now = time.monotonic_ns()
        self.buffer += data
        try:
            while self.step(now):
                pass
        except ValueError as exc:
            if not self.waiter.done():
                self.waiter.set_exception(ConnectionError(f"not HTTP: {exc}"))

    def step(self, now):
        """Consume one head, chunk size or stretch of body; False when more data is needed."""
        if self.in_head:
            return self.take_head()
        if self.chunked and self.left is None:
            end = self.buffer.find(b"\r\n")
            if end < 0:
                return False
            self.left = int(self.buffer[:end], 16) + 2
            del self.buffer[: end + 2]
            if self.left == 2:
                self.finish(now)
                return False
        size = min(self.left, len(self.buffer))
        if size == 0:
            return False
        piece = bytes(self.buffer[:size])
        del self.buffer[:size]
        if self.chunked and size > self.left - 2:
            piece = piece[: max(0, len(piece) - (size - (self.left - 2)))]
        self.left -= size
        self.body(piece, now)
        if self.left == 0:
            if not self.chunked:
                self.finish(now)
                return False
            self.left = None
        return True

    def take_head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        fields = bytes(self.buffer[:end]).lower()
        del self.buffer[: end + 4]
        self.answer.status = int(fields[9:12])
        at = fields.find(b"\r\ncontent-length:")
        self.chunked = at < 0
        self.left = None if self.chunked else int(fields[at + 17 :].split(b"\r\n", 1)[0])
        self.in_head = False
        return True

    def body(self, piece, now):
        answer = self.answer
        answer.body_bytes += len(piece)
        if not self.streaming:
            return
        text = self.tail + piece
        end = 0
        for match in STAMP.finditer(text):
            answer.delays_ns.append(now - int(match[1]))
            end = match.end()
            if not answer.first_at:
                answer.first_at = now
        answer.stopped = answer.stopped or b"event: message_stop" in text
        self.tail = text[end:][-40:]

    def finish(self, now):
        self.buffer.clear()
        self.answer.done_at = now
        if not self.waiter.done():
            self.waiter.set_result(None)


async def connect(port):
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    return client


@dataclass(slots=True)
class Load:
    """The outcome of one run of requests: times in seconds."""

    seconds: float
    good: int
    bad: int
    latencies: list


async def closed_loop(port, size, connections, seconds, most, expect):
    """Each connection asks again as soon as it was answered, until time or count runs out."""
    clients = [await connect(port) for _ in range(connections)]
    latencies, bad, asked = [], 0, 0
    end = time.monotonic() + seconds

    async def keep_asking(client, number):
        nonlocal bad, asked
        data = request(size, number)
        while time.monotonic() < end and asked < most:
            asked += 1
            try:
                answer = await client.ask(data)
            except (OSError, TimeoutError):
                bad += 1
                return
            if answer.status == 200 and answer.body_bytes == expect:
                latencies.append((answer.done_at - answer.sent_at) / 1e9)
            else:
                bad += 1

    start = time.monotonic()
    await asyncio.gather(*(keep_asking(c, n) for n, c in enumerate(clients)))
    taken = time.monotonic() - start
    for client in clients:
        client.transport.abort()
    return Load(taken, len(latencies), bad, latencies)


async def open_loop(port, size, rate, count, expect):
    """Requests at fixed times whether or not earlier ones were answered; counted from those times."""
    idle, latencies, bad = [await connect(port) for _ in range(8)], [], 0
    start = time.monotonic() + 0.05  # not loop.time(): uvloop's has steps of a millisecond

    async def one(number):
        nonlocal bad
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        client = idle.pop() if idle else await connect(port)
        try:
            answer = await client.ask(request(size, number % 64))
        except (OSError, TimeoutError):
            bad += 1
            return
        if answer.status == 200 and answer.body_bytes == expect:
            latencies.append(time.monotonic() - due)
        else:
            bad += 1
        idle.append(client)

    await asyncio.gather(*(one(number) for number in range(count)))
    for client in idle:
        client.transport.abort()
    return Load(count / rate, len(latencies), bad, latencies)


@dataclass(slots=True)
class Streams:
    """The outcome of many streams at once: times in seconds."""

    seconds: float
    events: int
    lost: int
    first: list
    delays: list


async def streams(port, count, stagger_s, events, size=4096):
    """`count` streams, their starts spread over `stagger_s`; lost: not every event arrived."""
    first, delays, lost, seen = [], [], 0, 0

    async def one(number):
        nonlocal lost, seen
        await asyncio.sleep(stagger_s * number / count)
        client = None
        try:
            client = await connect(port)
            answer = await client.ask(request(size, 1000 + number, stream=True), streaming=True)
        except (OSError, TimeoutError):
            lost += 1
            return
        finally:
            if client is not None:
                client.transport.abort()
        seen += len(answer.delays_ns)
        if answer.status != 200 or len(answer.delays_ns) != events or not answer.stopped:
            lost += 1
            return
        first.append((answer.first_at - answer.sent_at) / 1e9)
        delays.extend(delay / 1e9 for delay in answer.delays_ns)

    start = time.monotonic()
    await asyncio.gather(*(one(number) for number in range(count)))
    return Streams(time.monotonic() - start, seen, lost, first, delays)
