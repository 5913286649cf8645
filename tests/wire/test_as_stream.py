"""wire/as_stream: a whole answer told as a stream is the same answer."""

from __future__ import annotations

import json
from typing import Any

from maxpool.wire.as_stream import as_stream
from tests.wire.chat_oracle import message_of

WHOLE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"x": [1]}},
        {"type": "redacted_thinking", "data": "d"},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 4},
}


def test_every_block_arrives_with_all_it_holds():
    made = message_of(as_stream(json.dumps(WHOLE).encode()))
    for block, there in zip(WHOLE["content"], made["content"], strict=True):
        assert block.items() <= there.items()
    assert (made["stop_reason"], made["usage"]["output_tokens"]) == ("tool_use", 4)
