"""Where a path leads: prefixes for tools that want them, named sets, and the API whose clients ask there.

`/anthropic/...` and `/openai/...` stand before the same endpoints (`/openai/chat/completions` is
`/v1/chat/completions`, too), `/v1/sets/NAME/...` before those that take a model. Text only: nothing here
decides who may come in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from maxpool.wire.chat_answer import CHAT_SURFACE
from maxpool.wire.responses_answer import RESPONSES_SURFACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.wire.replies import Answer
    from maxpool.wire.translation import Surface

CHAT_PATH: Final = "/v1/chat/completions"
RESPONSES_PATH: Final = "/v1/responses"
KEPT_NOTHING: Final = ("/v1/responses/", "/v1/conversations")
"""Paths of the Responses API for what a server has kept: this one keeps nothing."""

STARTS: Final = ("/anthropic", "/openai", "/v1/sets/")
"""All other paths are what they say."""

_SET: Final = re.compile(r"/v1/sets/([^/]{1,200})((?:/.*)?)", re.DOTALL)
_OPENAI: Final = re.compile(
    r"(?:/v1)?(/chat/completions|/responses(?:/.*)?|/conversations(?:/.*)?|/models(?:/.*)?|/sets/.+)",
    re.DOTALL,
)
_ANTHROPIC: Final = re.compile(r"/v1/.+|/api/.+", re.DOTALL)
_OF_A_SET: Final = re.compile(
    r"(?:/v1)?(/messages(?:/count_tokens)?|/chat/completions|/responses|/models(?:/.*)?)", re.DOTALL
)
_OPENAI_AGENTS: Final = ("OpenAI/", "AsyncOpenAI/")


class Place(NamedTuple):
    """`path`: of the endpoint. `prefix`: `anthropic` or `openai` where one stood before it. `set_name`."""

    path: str
    prefix: str = ""
    set_name: str | None = None


def place_of(path: str) -> Place:
    """What a path that begins with one of `STARTS` means; itself where that is nothing."""
    prefix, rest = "", path
    for name, known in (("openai", _OPENAI), ("anthropic", _ANTHROPIC)):
        if path == f"/{name}" or path.startswith(f"/{name}/"):
            prefix, rest = name, path[len(name) + 1 :]
            if rest in ("", "/"):
                return Place("/", prefix)
            found = known.fullmatch(rest)
            if found is None:
                return Place(path, prefix)
            rest = rest if name == "anthropic" else f"/v1{found[1]}"
    named = _SET.fullmatch(rest)
    if named is None:
        return Place(rest, prefix)
    of_set = _OF_A_SET.fullmatch(named[2])
    return Place(path, prefix) if of_set is None else Place(f"/v1{of_set[1]}", prefix, named[1])


def surface_of(path: str, prefix: str = "") -> Surface | None:
    """The API of whoever asks there, None for Messages; `path` of the endpoint."""
    if path == CHAT_PATH:
        return CHAT_SURFACE
    if path.startswith((RESPONSES_PATH, *KEPT_NOTHING)):
        return RESPONSES_SURFACE
    return CHAT_SURFACE if prefix == "openai" else None


def told_there(answer: Answer, path: str, prefix: str = "") -> Answer:
    """An error as it is told there."""
    surface = surface_of(path, prefix)
    return answer if surface is None else surface.error(answer)


def asks_openai(fields: Mapping[str, str], prefix: str) -> bool:
    """Whether the caller of a path that both APIs have is a client of OpenAI's; `fields`: its headers.

    By the prefix, else by what only one of them sends: a bearer alone is OpenAI's.
    """
    if prefix:
        return prefix == "openai"
    if "anthropic-version" in fields or "x-api-key" in fields:
        return False
    if fields.get("user-agent", "").startswith(_OPENAI_AGENTS):
        return True
    return fields.get("authorization", "").lower().startswith("bearer ")
