"""The small ways in which services that speak Chat Completions differ, as options of an account.

`OPTIONS` is the table: name, what it may be, what it is for. An owner writes them as `body = { ... }`
beside the account; `Options` is what `wire/to_chat` reads. Nothing here looks at a request.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from maxpool.core.needs import DOCUMENTS, PREFILL

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Option:
    """One row: `form` in words, for whoever got it wrong, and what the option is for."""

    form: str
    text: str
    words: tuple[str, ...] = ()
    least: float | None = None


def _flag(text: str) -> Option:
    return Option("true or false", text)


OPTIONS: Final[Mapping[str, Option]] = MappingProxyType(
    {
        "max_tokens_field": Option(
            '"max_tokens" or "max_completion_tokens"',
            "the name it has for the limit of an answer",
            words=("max_tokens", "max_completion_tokens"),
        ),
        "max_tokens_max": Option(
            "a number of tokens", "the most it lets one answer have; more is asked as this", least=1
        ),
        "temperature_max": Option(
            "a number", "the highest temperature it takes; more is asked as this", least=0
        ),
        "top_k": _flag("it takes top_k; else that is left out"),
        "reasoning_field": Option(
            '"none", "reasoning_effort" or "reasoning"',
            "where it takes how hard to think; none: that is left out",
            words=("none", "reasoning_effort", "reasoning"),
        ),
        "return_reasoning": _flag("it wants its own earlier thinking back, as reasoning_content"),
        "system_role": Option(
            '"system" or "developer"',
            "the role of instructions",
            words=("system", "developer"),
        ),
        "merge_system": _flag("it takes instructions at the start only: later ones are put there"),
        "drop_empty_tools": _flag("an empty list of tools is left out: many services refuse one"),
        "stream_usage": _flag("it takes stream_options, and tells the usage of a stream then"),
        "files": _flag("it takes PDF files in messages"),
        "tool_id_chars": Option(
            "a number of characters, 8 to 64",
            "ids of tool calls have exactly this many letters and digits",
            least=8,
        ),
        "add_generation_prompt": _flag("add_generation_prompt = true is sent with each request"),
        "continue_final_message": _flag(
            "it continues an answer that the client began, when told so by this name"
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one account, read once; see `OPTIONS` for what each is for."""

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    max_tokens_max: int | None = None
    temperature_max: float | None = None
    top_k: bool = False
    reasoning_field: Literal["none", "reasoning_effort", "reasoning"] = "none"
    return_reasoning: bool = False
    system_role: Literal["system", "developer"] = "system"
    merge_system: bool = False
    drop_empty_tools: bool = True
    stream_usage: bool = True
    files: bool = False
    tool_id_chars: int | None = None
    add_generation_prompt: bool = False
    continue_final_message: bool = False


def enabled_by(options: Options) -> frozenset[str]:
    """Words of `core/needs` that the format by itself has no place for, and such a service has."""
    given = ((options.files, DOCUMENTS), (options.continue_final_message, PREFILL))
    return frozenset(word for on, word in given if on)


DEFAULTS: Final = Options()
_FLAGS: Final = frozenset(field.name for field in fields(Options) if field.type == "bool")


def problem(name: str, value: object) -> str | None:
    """What is wrong with one option as it was written; None when nothing is."""
    option = OPTIONS.get(name)
    if option is None:
        return f"is no option; there are: {', '.join(OPTIONS)}"
    return None if _right(name, option, value) else f"must be {option.form}"


def _right(name: str, option: Option, value: object) -> bool:
    if name in _FLAGS:
        return isinstance(value, bool)
    if option.words:
        return value in option.words
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if name != "temperature_max" and not isinstance(value, int):
        return False
    most = 64 if name == "tool_id_chars" else float("inf")
    return option.least is None or option.least <= value <= most


def options_of(told: Mapping[str, object]) -> Options:
    """The options of an account; raises `ValueError` for one that `problem` would name."""
    if not told:
        return DEFAULTS
    for name, value in told.items():
        wrong = problem(name, value)
        if wrong is not None:
            raise ValueError(f"{name} {wrong}")
    return Options(**told)  # type: ignore[arg-type] # each was looked at above
