"""A Messages answer as a Chat Completions answer, whole or as a stream of chunks; and `CHAT_SURFACE`.

| Messages | Chat |
|---|---|
| text blocks | `content`, joined |
| thinking | `reasoning_content`, a common extension; redacted thinking and signatures have no place |
| tool_use | `tool_calls`, numbered as they come; `function_call` for a client that sent `functions` |
| server tools' blocks, citations | nothing: this format's requests cannot ask for them |
| stop reasons | `FINISH`; after a refusal `refusal` says why |
| input + cache read + cache writes | `prompt_tokens`, with `cached_tokens` and `cache_write_tokens` |
| ping | a comment: these clients break on events they do not know |
| error event | `data: {"error": ...}`, and nothing after it, not even `[DONE]` |

The model is the one the client asked for. Usage in a stream only for `include_usage`.

Source: platform.openai.com/docs/api-reference/chat and .../chat-streaming.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.wire import chat_request
from maxpool.wire.chat_completion import call_of, message_of, object_in, text_in, usage_of, why
from maxpool.wire.openai_errors import event_error, openai_error
from maxpool.wire.sse import Scanner
from maxpool.wire.translation import CHAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maxpool.wire.replies import Answer
    from maxpool.wire.translation import AnswerWriter, Format

HEARTBEAT: Final = b": ping\n\n"
DONE: Final = b"data: [DONE]\n\n"
MAX_EVENT_BYTES: Final = 32 * 1024 * 1024
"""One event of an answer; the largest answer a model can write is far below."""

FINISH: Final = MappingProxyType(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "pause_turn": "length",  # unfinished, too
        "tool_use": "tool_calls",
        "refusal": "content_filter",
    }
)
_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Asked(msgspec.Struct, gc=False):
    """What of a request its answer depends on."""

    model: Any = None
    stream_options: Any = None
    functions: Any = None


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""


class _BlockDelta(msgspec.Struct, gc=False):
    delta: _Delta
    index: int = 0


_decode_asked: Final = msgspec.json.Decoder(_Asked).decode
_decode_delta: Final = msgspec.json.Decoder(_BlockDelta).decode
_encode: Final = msgspec.json.encode


class ChatWriter:
    """One answer; satisfies `translation.AnswerWriter`."""

    __slots__ = (
        "_calls",
        "_created",
        "_finished",
        "_head",
        "_id",
        "_legacy",
        "_model",
        "_open_call",
        "_over",
        "_scanner",
        "_usage",
        "_with_usage",
    )

    def __init__(self, body: bytes, *, request_id: str, now: float) -> None:
        asked = _asked(body)
        self._model = asked.model if isinstance(asked.model, str) else ""
        self._with_usage = bool(object_in(asked.stream_options).get("include_usage"))
        self._legacy = isinstance(asked.functions, list) and bool(asked.functions)
        self._created = int(now)
        self._id = f"chatcmpl-{request_id}"
        self._scanner = Scanner(MAX_EVENT_BYTES)
        self._usage: dict[str, Any] = {}
        self._head = b""  # a chunk up to its delta; empty before the first one
        self._calls: dict[int, int] = {}  # the number of a call by the index of its block
        self._open_call: int | None = None  # the call that has no arguments yet
        self._finished = False
        self._over = False

    def whole(self, body: bytes) -> bytes:
        """The completion for a Messages answer; raises `ValueError` for what is none."""
        told = _decoded(body)
        if not isinstance(blocks := told.get("content"), list):
            raise ValueError("the upstream's answer is no Messages answer")  # noqa: TRY004 - of JSON
        self._name(told)
        self._usage |= object_in(told.get("usage"))
        message = message_of([object_in(block) for block in blocks], legacy=self._legacy)
        finish = self._finish_of(told.get("stop_reason"))
        if finish == "content_filter":
            message["refusal"] = why(told)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        rest = {"choices": [choice], "usage": usage_of(self._usage)}
        return _encode(self._envelope("chat.completion") | rest)

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes of the Messages stream as chunks."""
        out: list[bytes] = []
        for event in self._scanner.feed(chunk):
            if self._over:
                break
            name = event.name
            if name == "message":  # the stream names its events in the data only
                name = str(_decoded(event.data).get("type"))
            take = _EVENTS.get(name)
            if take is not None:
                take(self, event.data, out)
        if self._scanner.overflowed and not self._over:
            self._error(b"", out)
        return b"".join(out)

    def end(self) -> bytes:
        """The usage chunk, where it was asked for, and `[DONE]`; nothing for a stream that broke off."""
        if self._over or not self._finished:
            return b""
        self._over = True
        if not self._with_usage:
            return DONE
        rest = {"choices": [], "usage": usage_of(self._usage)}
        return _event(self._envelope("chat.completion.chunk") | rest) + DONE

    def _name(self, message: Mapping[str, Any]) -> None:
        told = message.get("id")
        if isinstance(told, str) and told:
            self._id = f"chatcmpl-{told.removeprefix('msg_')}"

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._model,
            "system_fingerprint": None,
        }

    def _say(self, delta: bytes, out: list[bytes]) -> None:
        if not self._head:
            self._open(out)
        out.append(b"%b%b%b" % (self._head, delta, _TAIL))

    def _open(self, out: list[bytes]) -> None:
        """The first chunk; all others have its head."""
        base = self._envelope("chat.completion.chunk")
        if self._with_usage:
            base["usage"] = None
        self._head = b'data: %b,"choices":[{"index":0,"delta":' % _encode(base)[:-1]
        out.append(b'%b{"role":"assistant","content":""}%b' % (self._head, _TAIL))

    def _start(self, data: bytes, out: list[bytes]) -> None:
        message = object_in(_decoded(data).get("message"))
        self._usage |= object_in(message.get("usage"))
        self._name(message)
        if not self._head:
            self._open(out)

    def _block(self, data: bytes, out: list[bytes]) -> None:
        told = _decoded(data)
        block = object_in(told.get("content_block"))
        kind = text_in(block.get("type"))
        if kind == "tool_use":
            self._call(_index(told), block, out)
        elif kind in _TEXTS and text_in(block.get(kind)):
            self._say(b'{"%b":%b}' % (_TEXTS[kind], _encode(block[kind])), out)

    def _call(self, index: int, block: Mapping[str, Any], out: list[bytes]) -> None:
        number = self._calls[index] = len(self._calls)
        self._open_call = number
        told = call_of(block) | {"index": number}
        given = told["function"]["arguments"]
        told["function"]["arguments"] = ""
        if self._legacy:
            self._say(_encode({"function_call": told["function"]}), out)
        else:
            self._say(_encode({"tool_calls": [told]}), out)
        if given != "{}":
            self._argue(number, given, out)

    def _delta(self, data: bytes, out: list[bytes]) -> None:
        try:
            told = _decode_delta(data)
        except _JUNK:
            return
        delta = told.delta
        if delta.type == "text_delta":
            if delta.text:
                self._say(b'{"content":%b}' % _encode(delta.text), out)
        elif delta.type == "input_json_delta":
            if delta.partial_json and told.index in self._calls:
                self._argue(self._calls[told.index], delta.partial_json, out)
        elif delta.type == "thinking_delta" and delta.thinking:
            self._say(b'{"reasoning_content":%b}' % _encode(delta.thinking), out)

    def _argue(self, number: int, text: str, out: list[bytes]) -> None:
        self._open_call = None
        if self._legacy:
            self._say(b'{"function_call":{"arguments":%b}}' % _encode(text), out)
            return
        self._say(
            b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (number, _encode(text)),
            out,
        )

    def _block_stop(self, data: bytes, out: list[bytes]) -> None:
        del data
        if self._open_call is not None:  # clients parse the arguments, and "" is no JSON
            self._argue(self._open_call, "{}", out)

    def _message_delta(self, data: bytes, out: list[bytes]) -> None:
        told = _decoded(data)
        usage = object_in(told.get("usage"))
        self._usage.update((name, value) for name, value in usage.items() if value is not None)
        delta = object_in(told.get("delta"))
        reason = delta.get("stop_reason")
        if reason is None or self._finished:
            return
        finish = self._finish_of(reason)
        if not self._head:
            self._open(out)
        if finish == "content_filter":
            self._say(b'{"refusal":%b}' % _encode(why(delta)), out)
        out.append(_LAST % (self._head, _encode(finish)))
        self._finished = True

    def _finish_of(self, reason: object) -> str:
        finish = FINISH.get(reason, "stop") if isinstance(reason, str) else "stop"
        return "function_call" if finish == "tool_calls" and self._legacy else finish

    def _ping(self, data: bytes, out: list[bytes]) -> None:
        del data
        out.append(HEARTBEAT)

    def _error(self, data: bytes, out: list[bytes]) -> None:
        self._over = True
        out.append(_event({"error": event_error(data)}))


_EVENTS: Final = MappingProxyType(
    {
        "content_block_delta": ChatWriter._delta,
        "message_start": ChatWriter._start,
        "content_block_start": ChatWriter._block,
        "content_block_stop": ChatWriter._block_stop,
        "message_delta": ChatWriter._message_delta,
        "ping": ChatWriter._ping,
        "error": ChatWriter._error,
    }
)
_LAST: Final = b'%b{},"logprobs":null,"finish_reason":%b}]}\n\n'
_TAIL: Final = b',"logprobs":null,"finish_reason":null}]}\n\n'
_TEXTS: Final = MappingProxyType({"text": b"content", "thinking": b"reasoning_content"})


class ChatSurface:
    """Clients of Chat Completions; satisfies `translation.Surface`."""

    name: Format = CHAT
    heartbeat = HEARTBEAT

    def request(self, body: bytes) -> bytes:
        """The Messages request for a Chat request."""
        return chat_request.request(body)

    def writer(self, body: bytes, *, request_id: str, now: float) -> AnswerWriter:
        """Turns the answer to that Chat request."""
        return ChatWriter(body, request_id=request_id, now=now)

    def error(self, answer: Answer) -> Answer:
        """An error in OpenAI's envelope."""
        return openai_error(answer)


CHAT_SURFACE: Final = ChatSurface()


def models(ids: Iterable[str], owners: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """The body of `GET /v1/models` for OpenAI's clients; `owners`: who makes a model, where known."""
    return _encode({"object": "list", "data": [_model(name, owners) for name in ids]})


def model(name: str, owners: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """The body of `GET /v1/models/NAME`."""
    return _encode(_model(name, owners))


def _model(name: str, owners: Mapping[str, str]) -> dict[str, Any]:
    owner = owners.get(name) or ("anthropic" if "claude" in name else "maxpool")
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _asked(body: bytes) -> _Asked:
    try:
        return _decode_asked(body)
    except _JUNK:
        return _Asked()


def _event(value: object) -> bytes:
    return b"data: %b\n\n" % _encode(value)


def _decoded(data: bytes) -> Mapping[str, Any]:
    try:
        return object_in(msgspec.json.decode(data))
    except _JUNK:
        return {}


def _index(told: Mapping[str, Any]) -> int:
    index = told.get("index")
    return index if isinstance(index, int) else 0
