"""The exceptions of maxpool, and nothing else.

Expected things are values (`Outcome`, `Refusal`, `Unavailable`, `Unreachable`); an exception here
means "cannot go on". Each carries a hint: one line that tells the person what to do next.

    MaxpoolError                 exit code 1
    +-- ConfigError              the config file is wrong; holds every problem at once
    +-- SecretError              a secret reference could not be resolved
    +-- StateError               the state folder or the state file cannot be used
    +-- BindError                the server may not, or cannot, listen there
    +-- NotRunning               exit code 3: no server answers
    +-- RequestError             the caller's request is wrong; knows its HTTP status
    |   +-- Uncarried            it holds what another API format has no place for
    +-- StreamCut                an upstream body ended before it was complete
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class MaxpoolError(Exception):
    """Something maxpool cannot go on from; `hint` says what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """One thing wrong in a config file; `line` is 1-based, 0 when no line is to blame."""

    path: str
    line: int
    text: str
    message: str
    hint: str = ""


class ConfigError(MaxpoolError):
    """The config file is wrong: every problem found, in file order."""

    exit_code = 2

    def __init__(self, problems: list[ConfigProblem]) -> None:
        count = len(problems)
        super().__init__(
            f"{count} problem{'s' if count != 1 else ''} in the configuration",
            "Mend the lines above, then run: maxpool config check",
        )
        self.problems = problems


class SecretError(MaxpoolError):
    """A secret reference (`env:`, `file:`, `command:`) gave no usable secret."""


class StateError(MaxpoolError):
    """The state folder or file cannot be used."""


class BindError(MaxpoolError):
    """The server may not, or cannot, listen on the address asked for."""


class NotRunning(MaxpoolError):
    """No server answers at the address the command was given."""

    exit_code = 3


class RequestError(MaxpoolError):
    """The caller's request cannot be served as it is.

    `status` is the HTTP status to answer with and `kind` the Anthropic error type
    (platform.claude.com/docs/en/api/errors). `allow`: with a 405, the methods that are taken.
    """

    def __init__(self, status: int, kind: str, message: str, allow: str = "POST") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.allow = allow


class Uncarried(RequestError):
    """A request holds something that another API format has no place for; `what` names it.

    Of a client's own request it is a 400; towards an account it means that this one is passed over.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(400, "invalid_request_error", f"{what}: {why}")
        self.what = what


class StreamCut(MaxpoolError):
    """An upstream body ended early; `kind` is `reset`, `idle`, `protocol` or `truncated`."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"the upstream's answer was cut ({kind}){': ' + detail if detail else ''}")
        self.kind = kind
