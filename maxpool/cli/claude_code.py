"""The environment that points Claude Code at maxpool, written for a shell. Standard library only.

Facts: Claude Code refuses to start without a credential, sends ANTHROPIC_AUTH_TOKEN as a bearer,
and under a gateway asks for the 5-minute prompt cache unless told otherwise
(code.claude.com/docs/en/llm-gateway and env-vars).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Shell = Literal["bash", "fish", "powershell"]
ANY_TOKEN = "maxpool"  # noqa: S105 - any text will do where no key is asked for
PLACEHOLDER = "PUT-YOUR-MAXPOOL-KEY-HERE"
KEY_HEADER = "x-maxpool-key: "
INSTEAD_OF_LOGIN = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What Claude Code shows to maxpool: any text, or a client key and where it is found."""

    source: Literal["any", "env", "file", "unknown", "value"] = "any"
    where: str = ""

    @classmethod
    def from_keys(cls, keys: Sequence[str], local: Path | None = None) -> Token:
        """The state folder's own client key (`local`), else the first configured one that can be
        pointed at; any text when there is none.
        """
        if local is not None:
            return cls(source="file", where=str(local))
        for key in keys:
            source, _, where = key.partition(":")
            if source == "env" or source == "file":
                return cls(source="env" if source == "env" else "file", where=where)
        return cls(source="unknown") if keys else cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable, why it is set, and the expression that gives its value in a shell.

    `expression` None: it must not be set.
    """

    name: str
    why: str
    expression: str | None
    value: str | None


def variables(base_url: str, token: Token, shell: Shell) -> list[Variable]:
    """The three variables; `value` is None where only the shell can know it."""
    return [
        Variable(
            name="ANTHROPIC_BASE_URL",
            why="where Claude Code sends its requests: maxpool",
            expression=_quoted(base_url, shell),
            value=base_url,
        ),
        Variable(
            name="ANTHROPIC_AUTH_TOKEN",
            why=_token_why(token),
            expression=_token_expression(token, shell),
            value={"any": ANY_TOKEN, "value": token.where}.get(token.source),
        ),
        Variable(
            name="ENABLE_PROMPT_CACHING_1H",
            why="keeps prompts cached for an hour; behind a gateway Claude Code asks for 5 minutes",
            expression=_quoted("1", shell),
            value="1",
        ),
    ]


def own_login(base_url: str, key: Token, shell: Shell) -> list[Variable]:
    """The variables for a Claude Code that goes on with its own login; `key`: of this server."""
    found = [
        Variable(
            name="ANTHROPIC_BASE_URL",
            why="where Claude Code sends its requests, with its own login: maxpool",
            expression=_quoted(base_url, shell),
            value=base_url,
        ),
        *(
            Variable(
                name=name,
                why="Claude Code would send this in place of its own login",
                expression=None,
                value=None,
            )
            for name in INSTEAD_OF_LOGIN
        ),
    ]
    if key.source != "any":
        header = Variable(
            name="ANTHROPIC_CUSTOM_HEADERS",
            why=f"{_token_why(key)}; a login is no key",
            expression=_joined(KEY_HEADER, _token_expression(key, shell), shell),
            value=None,
        )
        found.append(header)
    return found


def lines(base_url: str, token: Token, shell: Shell, *, comments: bool = True) -> list[str]:
    """The lines to paste or to evaluate."""
    return shell_lines(variables(base_url, token, shell), shell, comments=comments)


def shell_lines(variables: Sequence[Variable], shell: Shell, *, comments: bool = True) -> list[str]:
    """The same for any variables."""
    found = []
    for variable in variables:
        if comments:
            found.append(f"# {variable.why}")
        found.append(_assignment(variable.name, variable.expression, shell))
    return found


def shell_named(name: str) -> Shell:
    """The kind of shell behind a program's name; unknown ones read what bash reads."""
    if name == "fish":
        return "fish"
    return "powershell" if name in ("powershell", "pwsh") else "bash"


def usage(shell: Shell) -> str:
    """How to take the lines over into the running shell."""
    return {
        "bash": 'eval "$(maxpool env)"',
        "fish": "maxpool env --shell fish | source",
        "powershell": "maxpool env --shell powershell | Out-String | Invoke-Expression",
    }[shell]


def _assignment(name: str, expression: str | None, shell: Shell) -> str:
    if expression is None:
        absent = {"fish": "set -e {}", "powershell": "$env:{} = $null", "bash": "unset {}"}
        return absent[shell].format(name)
    if shell == "fish":
        return f"set -gx {name} {expression}"
    return f"$env:{name} = {expression}" if shell == "powershell" else f"export {name}={expression}"


def _token_why(token: Token) -> str:
    if token.source == "any":
        return (
            "Claude Code needs some credential to start; maxpool takes any text here and drops it"
        )
    if token.source == "unknown":
        return "one of this server's client keys; only its hash is in the config, so fill it in"
    return "a client key of this server"


def _token_expression(token: Token, shell: Shell) -> str:
    if token.source == "env":
        return f"$env:{token.where}" if shell == "powershell" else f'"${token.where}"'
    if token.source == "file":
        path = _quoted(token.where, shell)
        if shell == "powershell":
            return f"(Get-Content {path})"
        return f"(cat {path})" if shell == "fish" else f'"$(cat {path})"'
    value = {"any": ANY_TOKEN, "value": token.where}.get(token.source, PLACEHOLDER)
    return _quoted(value, shell)


def _joined(text: str, expression: str, shell: Shell) -> str:
    """A text and an expression after it, as one word."""
    quoted = f"'{text}'"
    return f"({quoted} + {expression})" if shell == "powershell" else f"{quoted}{expression}"


def _quoted(text: str, shell: Shell) -> str:
    if shell == "powershell":
        return "'" + text.replace("'", "''") + "'"
    return shlex.quote(text)
