"""A Chat Completions request as a Messages request; its messages are `chat_messages`' part.

Every field of the API is in one of these groups; a null is as good as none.

| field | becomes |
|---|---|
| model, stream, top_p, top_k, thinking | themselves (`top_p: 1` and `temperature: 1`, both defaults, go) |
| max_completion_tokens, max_tokens | max_tokens; `DEFAULT_MAX_TOKENS` where there is neither: Messages needs one |
| temperature | itself up to 1, where Claude's scale ends; above that refused, since 1 would be another request |
| stop | stop_sequences; blank ones, which Messages refuses, are refused |
| tools, functions | tools; `strict` as is, custom tools and others refused |
| tool_choice, function_call | tool_choice; `allowed_tools` leaves only those tools in the request |
| parallel_tool_calls: false, functions | disable_parallel_tool_use |
| reasoning_effort | thinking and effort as the model takes them (`wire/effort`) |
| response_format json_schema | output_config.format |
| response_format json_object, verbosity | a sentence of the system prompt: Messages has no such switch |
| safety_identifier, user, metadata.user_id | metadata.user_id, the first of them; as a digest where it may name a person |
| service_tier auto, default | none, `standard_only`; the other tiers are refused |
| n, logprobs, top_logprobs, logit_bias, penalties, modalities | nothing at their neutral values; refused otherwise |
| `HINTS`: seed, store, prediction, prompt_cache_key... | nothing: the answer may be the same without |
| everything else: audio, web_search_options, moderation, unknown ones | refused by name |

Marks for the prompt cache are the client's own or, where it set none, added (`wire/cachemarks`).
"""

from __future__ import annotations

import re
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from maxpool.errors import Uncarried
from maxpool.wire.cachemarks import mark
from maxpool.wire.chat_messages import conversation, wrong
from maxpool.wire.chat_tools import forces, tools_of
from maxpool.wire.effort import LEVELS, thinking_for
from maxpool.wire.schemas import closed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maxpool.wire.chat_messages import Blocks, Conversation, Lost

DEFAULT_MAX_TOKENS: Final = 32_000
"""Tokens of an answer whose client sets no limit: what every current Claude model takes."""

MAX_TEMPERATURE: Final = 1.0
MAX_USER_CHARS: Final = 256
JSON_ONLY: Final = (
    "Answer with one JSON object and nothing else: no code fence, no words around it."
)
VERBOSITY: Final = MappingProxyType(
    {"low": "Keep the answer short.", "medium": "", "high": "Answer at length and in detail."}
)

HINTS: Final = frozenset(
    {
        "metadata",  # labels of stored completions
        "prediction",  # speed only
        "prompt_cache_key",  # names the session, which is read where the request comes in
        "prompt_cache_options",
        "prompt_cache_retention",
        "seed",  # best effort, never a promise
        "session_id",  # this, tags and trace_id: frameworks, for their own records
        "store",  # nothing is stored here, and the answer is the same
        "stream_options",  # read by the writer of the answer
        "tags",
        "trace_id",
        "usage",  # a router's switch: usage is always told
    }
)
"""What changes no answer."""

_NEUTRAL: Final[Mapping[str, object]] = MappingProxyType(
    {
        "n": 1,
        "logprobs": False,
        "top_logprobs": 0,
        "logit_bias": {},
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "modalities": ["text"],
    }
)
_CARRIED: Final = frozenset(
    {
        "model",
        "messages",
        "stream",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "thinking",
        "stop",
        "tools",
        "functions",
        "tool_choice",
        "function_call",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "verbosity",
        "safety_identifier",
        "user",
        "service_tier",
    }
)
_KNOWN: Final = _CARRIED | HINTS
_OPAQUE: Final = re.compile(r"[A-Za-z0-9._:-]+")
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Translated(NamedTuple):
    """A Messages request, and what of the Chat request it lacks."""

    body: bytes
    lost: tuple[Uncarried, ...]


def request(body: bytes) -> bytes:
    """The Messages request; raises `Uncarried` for the first thing that it has no place for."""
    made = translate(body)
    if made.lost:
        raise made.lost[0]
    return made.body


def translate(body: bytes) -> Translated:
    """The same for whoever can use it in part: to choose an account that takes the request as it is.

    Raises `RequestError` 400 for what is no Chat request.
    """
    asked = {name: value for name, value in decoded(body).items() if value is not None}
    lost: Lost = []
    told = conversation(asked.get("messages"), lost)
    made: dict[str, Any] = {"model": asked.get("model"), "max_tokens": _limit(asked)}
    system = told.system + _sentences(asked, lost)
    if system:
        made["system"] = system
    made |= tools_of(asked, lost)
    made["messages"] = told.turns
    made |= _thinking(asked, made, told, lost)
    made |= _format(asked, made)
    made |= _sampling(asked, made, lost)
    made |= _plain(asked, lost)
    lost += _uncarried(asked)
    mark(made)
    return Translated(encoded(made), tuple(lost))


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; raises `RequestError` 400 for anything else."""
    try:
        return _decode(body)
    except RecursionError as deep:
        raise wrong("body", "is nested too deeply") from deep
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise wrong("body", f"is no JSON object ({broken})") from broken


def encoded(made: dict[str, Any]) -> bytes:
    """The Messages request as it goes out; raises `RequestError` 400 where JSON has no form for it."""
    try:
        return msgspec.json.encode(made)
    except (RecursionError, OverflowError, UnicodeEncodeError) as odd:
        raise wrong("body", f"holds what cannot be written as JSON ({odd})") from odd


def _limit(asked: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        if name in asked:
            limit = asked[name]
            if isinstance(limit, bool) or not isinstance(limit, int | float) or limit < 1:
                raise wrong(name, "must be a positive number")
            return int(min(limit, 10**9))
    return DEFAULT_MAX_TOKENS


def _sentences(asked: Mapping[str, Any], lost: Lost) -> Blocks:
    """What Messages has no switch for and a model follows when told."""
    told = []
    if _kind_of_format(asked) == "json_object":
        told.append(JSON_ONLY)
    level = asked.get("verbosity", "medium")
    if isinstance(level, str) and level in VERBOSITY:
        told.append(VERBOSITY[level])
    else:
        lost.append(Uncarried("verbosity", f"must be one of {', '.join(VERBOSITY)}"))
    return [{"type": "text", "text": sentence} for sentence in told if sentence]


def _thinking(
    asked: Mapping[str, Any], made: Mapping[str, Any], told: Conversation, lost: Lost
) -> dict[str, Any]:
    if isinstance(asked.get("thinking"), dict):
        return {"thinking": asked["thinking"]}
    level = asked.get("reasoning_effort")
    if level is None:
        return {}
    if not isinstance(level, str) or level not in LEVELS:
        lost.append(Uncarried("reasoning_effort", f"must be one of {', '.join(LEVELS)}"))
        return {}
    return thinking_for(
        level,
        model=str(made["model"]),
        max_tokens=made["max_tokens"],
        forced=forces(made),
        in_tool_loop=told.in_tool_loop,
    )


def _kind_of_format(asked: Mapping[str, Any]) -> str:
    told = asked.get("response_format")
    kind = told.get("type") if isinstance(told, dict) else "text" if told is None else None
    if kind not in ("text", "json_object", "json_schema"):
        raise wrong("response_format.type", "must be text, json_object or json_schema")
    return str(kind)


def _format(asked: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    if _kind_of_format(asked) != "json_schema":
        return {}
    spec = asked["response_format"].get("json_schema")
    schema = spec.get("schema") if isinstance(spec, dict) else None
    if not isinstance(schema, dict):
        raise wrong("response_format.json_schema.schema", "must be an object")
    schema = closed(schema)
    if isinstance(spec.get("description"), str):
        schema.setdefault("description", spec["description"])
    form = {"type": "json_schema", "schema": schema}
    return {"output_config": made.get("output_config", {}) | {"format": form}}


def _sampling(asked: Mapping[str, Any], made: Mapping[str, Any], lost: Lost) -> dict[str, Any]:
    """Temperature and the like; a thinking Claude takes none of them, as OpenAI's reasoning models."""
    told = {}
    thinks = made.get("thinking", {}).get("type") in ("adaptive", "enabled")
    for name in ("temperature", "top_p", "top_k"):
        value = asked.get(name)
        if value is None or (value == 1 and name != "top_k"):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong(name, "must be a number")
        if name == "temperature" and value > MAX_TEMPERATURE:
            lost.append(Uncarried(name, "Claude's scale ends at 1: send at most 1"))
        elif thinks and "reasoning_effort" in asked:
            lost.append(Uncarried(name, "goes with no reasoning_effort: send one of both"))
        else:
            told[name] = value
    return told


def _plain(asked: Mapping[str, Any], lost: Lost) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if "stream" in asked:
        told["stream"] = asked["stream"]
    stops = _stops(asked.get("stop"), lost)
    if stops:
        told["stop_sequences"] = stops
    user = end_user(asked)
    if user:
        told["metadata"] = {"user_id": user}
    tier = asked.get("service_tier", "auto")
    if tier == "default":
        told["service_tier"] = "standard_only"
    elif tier != "auto":
        lost.append(Uncarried("service_tier", "only auto and default have a counterpart"))
    return told


def _stops(given: object, lost: Lost) -> list[str]:
    stops = [given] if isinstance(given, str) else given or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise wrong("stop", "must be a text or a list of texts")
    if any(not stop or stop.isspace() for stop in stops):
        lost.append(Uncarried("stop", "Messages takes no sequence of blanks"))
    return [stop for stop in stops if stop and not stop.isspace()]


def end_user(asked: Mapping[str, Any]) -> str | None:
    """An opaque id of the end user: what may be a name or an address goes as its digest only."""
    labels = asked.get("metadata")
    of_labels = labels.get("user_id") if isinstance(labels, dict) else None
    for name in (asked.get("safety_identifier"), asked.get("user"), of_labels):
        if isinstance(name, str) and name.strip():
            if len(name) <= MAX_USER_CHARS and _OPAQUE.fullmatch(name):
                return name
            return "u-" + blake2b(name.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return None


def _uncarried(asked: Mapping[str, Any]) -> Iterator[Uncarried]:
    """Fields that would change the answer and have no counterpart."""
    for name, value in asked.items():
        if name in _NEUTRAL:
            if value != _NEUTRAL[name]:
                yield Uncarried(
                    name, f"Messages has no counterpart (only {_NEUTRAL[name]!r} works)"
                )
        elif name not in _KNOWN:
            yield Uncarried(name, "Messages has no counterpart of this field")
