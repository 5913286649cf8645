"""`[failures.CLASS]` and an account's own `failures`: what an error means, and what follows from it.

A sign written here stands before the usual ones, an account's before those of all. How errors are read
is `wire/verdict_provider`, and this only says what a person may change of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from maxpool.config.fields import Duration, Section, wrong
from maxpool.core.cooldowns import CAUSES
from maxpool.wire.verdict_provider import (
    ACTIONS,
    ANY_ERROR,
    SIGNS,
    Action,
    FailureClass,
    Failures,
    Sign,
)

FailureName = Literal[
    "policy",
    "context",
    "billing",
    "overloaded",
    "model",
    "auth",
    "quota",
    "forbidden",
    "transient",
    "request",
]
MAX_WORDS_CHARS: Final = 200

_NO_COOLDOWN: Final = (
    "has no meaning here: only " + ", ".join(CAUSES[:-1]) + f" and {CAUSES[-1]} rest for a set time"
)


def _phrase(text: str) -> str:
    if not text.strip() or len(text) > MAX_WORDS_CHARS:
        raise wrong(f"must be words of the error itself, 1 to {MAX_WORDS_CHARS} characters")
    return text.strip().lower()


Phrase = Annotated[str, AfterValidator(_phrase)]
ErrorStatus = Annotated[int, Field(ge=400, le=599)]


class FailureConfig(Section):
    """One class of failures: what else is one, what a request does then, how long the account rests.

    `status` and `words` together are one sign: one of these statuses with one of these words.
    """

    status: Annotated[tuple[ErrorStatus, ...], Field(strict=False)] = ()
    words: Annotated[tuple[Phrase, ...], Field(strict=False)] = ()
    action: Action | None = None
    cooldown_s: Duration | None = None


Classes = Mapping[FailureName, FailureConfig]


def flaws(given: Classes) -> list[tuple[str, str, str]]:
    """(class, key, what is wrong with it) for what no class may say."""
    found: list[tuple[str, str, str]] = []
    for name, one in given.items():
        if name == "policy" and one.action not in (None, "pass"):
            found.append(
                (
                    name,
                    "action",
                    "must be pass: what one vendor's policy refuses is asked nowhere else",
                )
            )
        if name not in CAUSES and one.cooldown_s is not None:
            found.append((name, "cooldown", _NO_COOLDOWN))
    return found


def failures_of(shared: Classes, own: Classes, tries: int) -> Failures:
    """How an account's failures are read: its own signs, then those for all, then the usual ones."""
    signs = (*_signs(own), *_signs(shared), *SIGNS)
    actions = dict(ACTIONS)
    for given in (shared, own):
        actions |= {
            FailureClass(n): one.action for n, one in given.items() if one.action is not None
        }
    return Failures(signs=signs, actions=actions, tries=tries)


def cooldowns_of(shared: Classes, own: Classes) -> dict[str, float]:
    """The pauses that were set, by cause."""
    found: dict[str, float] = {}
    for given in (shared, own):
        found |= {name: one.cooldown_s for name, one in given.items() if one.cooldown_s is not None}
    return found


def _signs(given: Classes) -> list[Sign]:
    return [
        Sign(FailureClass(name), one.status or ANY_ERROR, one.words)
        for name, one in given.items()
        if one.status or one.words
    ]
