"""The requests that the lab sends: shaped like Claude Code's, with all that a scheduler looks at."""

import itertools
import json

NUMBERS = itertools.count(1)
"""Of requests, so that the upstream can tell them apart."""

HEADERS = (
    b"accept: application/json\r\nuser-agent: claude-cli/2.1.329 (external, cli)\r\n"
    b"x-app: cli\r\nanthropic-version: 2023-06-01\r\nx-api-key: %s\r\n"
    b"anthropic-dangerous-direct-browser-access: true\r\n"
    b"anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14\r\n"
    b"x-stainless-lang: js\r\nx-stainless-os: Linux\r\nx-stainless-arch: x64\r\n"
    b"x-stainless-retry-count: 0\r\nx-stainless-runtime: node\r\nx-stainless-timeout: 600\r\n"
    b"accept-language: *\r\naccept-encoding: identity\r\ncontent-type: application/json\r\n"
)
SESSION = b"x-claude-code-session-id: 00000000-0000-4000-8000-%012d\r\ncontent-length: %d\r\n\r\n"
TOOL = {
    "name": "Read",
    "description": "Reads a file from the local filesystem. " * 4,
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}, "limit": {"type": "number"}},
        "required": ["file_path"],
    },
}
LINE = 'def area(width, height):\n    """Of a rectangle."""\n    return width * height\n'


def messages(size):
    """Turns of a conversation, tools called and answered, of about `size` bytes."""
    found, used, number = [], 0, 0
    while used < size - 600:
        text = LINE * min(12, max(1, (size - used) // 120))
        call = f"toolu_{number:024}"
        turn = [
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I will look at that file."},
                    {
                        "type": "tool_use",
                        "id": call,
                        "name": "Read",
                        "input": {"file_path": f"/home/me/a{number}.py"},
                    },
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": call, "content": text}],
            },
        ]
        found += turn
        used += len(json.dumps(turn, separators=(",", ":")))
        number += 1
    return found


def body(size, stream):
    """A body of exactly `size` bytes, or the least there is; `%s` stands where its order goes."""
    small = size < 4096
    asked = {
        "model": "claude-sonnet-4-5",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "%s"}]}],
        "system": [
            {
                "type": "text",
                "text": "You are Claude Code, Anthropic's official CLI for Claude.",
                "cache_control": {"type": "ephemeral"},
            }
        ],
        "tools": [] if small else [{**TOOL, "name": f"Tool{n}"} for n in range(8)],
        "metadata": {"user_id": "user_0_account__session_00000000-0000-4000-8000-000000000000"},
        "max_tokens": 32000,
        "stream": stream,
    }
    fixed = len(json.dumps(asked, separators=(",", ":")))
    asked["messages"] += [] if small else messages(size - fixed - 100)
    text = json.dumps(asked, separators=(",", ":"))
    room = size - len(text) + 2
    return text, room


class Requests:
    """Makes requests of one size for one target, cheaply."""

    def __init__(self, size, stream=False, key=b"bench", prefix=b""):
        text, self.room = body(size, stream)
        self.before, self.after = (part.encode() for part in text.split("%s"))
        self.line = b"POST %s/v1/messages?beta=true HTTP/1.1\r\nhost: 127.0.0.1\r\n" % prefix
        self.head = self.line + HEADERS % key

    def make(self, session, order):
        """One request of a session (a number); and the number by which the upstream knows it."""
        number = next(NUMBERS)
        text = b"bench id=%d %s;" % (number, order)
        text += b"x" * (self.room - len(text))
        length = len(self.before) + len(text) + len(self.after)
        lines = SESSION % (session, length)
        return number, b"".join((self.head, lines, self.before, text, self.after))
