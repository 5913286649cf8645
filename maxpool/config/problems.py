"""Problems of a config file in words for people: file, line, the line itself, the nearest right name.

Turns what `tomllib`, pydantic and `checks` complain about into `ConfigProblem`s. It decides nothing,
and it never repeats a value that may be a secret.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from maxpool.config.locate import Path, line_numbers, line_of
from maxpool.config.schema import choices, known_keys, lists, sections_with, tables
from maxpool.errors import ConfigProblem

if TYPE_CHECKING:
    import tomllib
    from collections.abc import Iterable, Sequence

    from pydantic_core import ErrorDetails

    from maxpool.config.checks import Finding

_LATER_SECTIONS = frozenset({"secrets", "cluster", "probes", "alerts", "oauth", "buckets"})

_TYPES = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list in [brackets]",
    "model_type": "must be a table of keys",
    "mapping_type": "must be a table of keys",
    "dict_type": "must be a table of keys",
    "finite_number": "must be a finite number",
}
_BOUNDS = {
    "greater_than": ("must be more than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
}


_OPEN_QUOTE = re.compile(
    r"""Unterminated string|Expected \"'{1,3}\"|(?:Illegal|Found invalid) character '\\[nr]'"""
)
_INSTEAD = {
    **dict.fromkeys(("api_key", "key", "token", "password", "api_token"), "secret"),
    **dict.fromkeys(("url", "endpoint", "api_base", "origin"), "base_url"),
    "type": "kind",
}
"""What other programs call the keys of an account."""

_SECRET_KEY = re.compile(
    r"[\"']?([\w-]*(?:secret|key|token|password|sha256))[\"']?\s*=", re.IGNORECASE
)
_NO_SECRET = frozenset({"tls_key", "require_key"})
_QUOTED = re.compile(r"""\"[^\"]*\"?|'[^']*'?""")
_REFERENCE = re.compile(r"""[\"'](?:env|file):""")
_SYNTAX = (
    (r"Cannot overwrite a value", "this key has a value already, further up"),
    (r"Cannot declare .* twice", "this section stands further up already"),
    (r"Expected '=' after a key.*", "a key is followed by = and its value"),
    (r"Expected newline or end of document.*", "something is left over behind the value"),
    (r"Invalid value", "this is no value"),
    (
        r"Expected '\]' at the end of a table declaration",
        "this section's name is never closed by ]",
    ),
)


class Describer:
    """Problems of one file: knows its path, its text and where each key stands."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text_lines = text.splitlines()
        self._lines = line_numbers(text)

    def from_pydantic(self, errors: Iterable[ErrorDetails]) -> list[ConfigProblem]:
        """One problem per complaint of pydantic, at the line of the key it is about."""
        return [self._one(error) for error in errors]

    def from_findings(self, findings: Iterable[Finding]) -> list[ConfigProblem]:
        """One problem per broken rule."""
        return [self._problem(f.path, f"{name_of(f.path)} {f.message}", f.hint) for f in findings]

    def _one(self, error: ErrorDetails) -> ConfigProblem:
        path = tuple(part for part in error["loc"] if part != "[key]")
        if error["type"] == "extra_forbidden":
            return self._problem(path, *_unknown(path))
        if error["type"] == "missing":
            return self._problem(path, f"{name_of(path)} is missing", f"{path[-1]} = ...")
        if len(path) == 1 and path[0] in lists():
            return self._problem(path, f"{name_of(path)} must be a list of entries", _each(path[0]))
        message, hint = plain_words(error, path)
        return self._problem(path, f"{name_of(path)} {message}", hint)

    def _problem(self, path: Path, message: str, hint: str) -> ConfigProblem:
        line = line_of(self._lines, path)
        text = self._text_lines[line - 1].strip() if line else ""
        return ConfigProblem(
            path=self._path, line=line, text=hide(text), message=message, hint=hint
        )


def from_syntax(path: str, text: str, error: tomllib.TOMLDecodeError) -> ConfigProblem:
    """The problem behind a TOML syntax error; tomllib stops at the first."""
    message = str(error)
    found = re.search(r"\(at line (\d+), column \d+\)", message)
    lines = text.splitlines()
    open_quote = _OPEN_QUOTE.match(message)
    line = int(found[1]) if found else _opening(text, message) if open_quote else len(lines)
    line = min(line, len(lines))
    offending = lines[line - 1].strip() if line else ""
    words = "missing closing quote" if open_quote else ""
    words = words or next((plain for pattern, plain in _SYNTAX if re.match(pattern, message)), "")
    words = words or re.sub(r"\s*\(at [^)]*\)", "", message)
    return ConfigProblem(
        path=path,
        line=line,
        text=hide(offending),
        message=f"not valid TOML: {words[:1].lower()}{words[1:]}",
        hint=_syntax_hint(offending),
    )


def _opening(text: str, message: str) -> int:
    """The line of the quote that nothing closes, when tomllib read on to the end of the document."""
    if "'" in message:
        at = text.rindex("'" * message.count("'"))
    elif text.count('"""') % 2:
        at = text.rindex('"""')
    else:  # text in plain quotes ends with its line, so this is the last one
        at = len(text)
    return text.count("\n", 0, at) + 1


def render(problem: ConfigProblem) -> list[str]:
    """The lines to print: place and message, the offending line, what may be meant."""
    place = f"{problem.path}:{problem.line}" if problem.line else problem.path
    lines = [f"{place}: {problem.message}"]
    if problem.text:
        lines.append(f"    {problem.text}")
    if problem.hint:
        lines.append(f"    {problem.hint}")
    return lines


def name_of(path: Path) -> str:
    """A key path as people write it: `[server] port`, `[[accounts]] 2 secret`."""
    if not path:
        return "the file"
    if len(path) == 1:
        return f"[{path[0]}]" if path[0] in tables() else str(path[0])
    if isinstance(path[1], int) and path[0] in lists():
        return " ".join([f"[[{path[0]}]]", f"entry {path[1] + 1}", *(_step(p) for p in path[2:])])
    return " ".join([f"[{path[0]}]", *(_step(part) for part in path[1:])])


def hide(line: str) -> str:
    """The line without anything that may be a secret; references stay readable."""
    found = re.match(r"\s*[\"']?([\w-]+)[\"']?\s*=", line)
    secret = any(key[1] not in _NO_SECRET for key in _SECRET_KEY.finditer(line))
    if secret or (found and found[1] == "headers"):
        line = _QUOTED.sub(lambda text: text[0] if _REFERENCE.match(text[0]) else '"..."', line)
        if not re.search(r"[\"']", line):
            line = re.sub(r"=.*", "= ...", line)
    line = re.sub(r"//[^/@\s\"']+@", "//...@", line)
    return re.sub(r"\bsk-[\w-]+", "sk-...", line)


def _step(part: str | int) -> str:
    return f"item {part + 1}" if isinstance(part, int) else part


def plain_words(error: ErrorDetails, path: Path) -> tuple[str, str]:
    """What is wrong with the value at `path`, completing the sentence "KEY ...", and a hint."""
    kind = error["type"]
    context: dict[str, Any] = error.get("ctx") or {}
    if kind == "config":
        return context["message"], context["hint"]
    if kind == "value_error":
        return str(context["error"]), ""
    if kind == "literal_error":
        allowed = choices(path)
        hint = _meant(error["input"], allowed) if isinstance(error["input"], str) else ""
        if path == ("version",):
            hint = "a newer maxpool wrote this file, or will read it: upgrade this one"
        return f"must be {_listed(allowed) or context['expected']}", hint
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{words} {context[bound]:g}", ""
    return _TYPES.get(kind, f"is wrong: {error['msg'].lower()}"), ""


def _unknown(path: Path) -> tuple[str, str]:
    key = str(path[-1])
    if len(path) == 1 and key in _LATER_SECTIONS:
        return f"[{key}] is a section that this version does not have yet", "leave it out for now"
    known = known_keys(path[:-1])
    where = f" in {name_of(path[:-1])}" if len(path) > 1 else ""
    message = f"unknown key {key}{where}"
    hint = _meant(key, known)
    if path[0] == "accounts" and key in _INSTEAD:
        hint = f"did you mean {_INSTEAD[key]}?"
        if _INSTEAD[key] == "secret":
            hint += ' It says where the key is: secret = "env:NAME"'
    elif hint and len(path) == 1 and (found := _meant(key, list(lists()))):
        hint = found.replace(" mean ", " mean [[").replace("?", "]]?")
    elif not hint:
        elsewhere = sections_with(key)
        hint = (
            f"did you mean [{elsewhere[0]}] {key}?"
            if elsewhere
            else f"known here: {', '.join(known)}"
        )
    return message, hint


def _meant(text: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(text.lower(), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""


def _each(name: object) -> str:
    return f"write [[{name}]], once for each {'account' if name == 'accounts' else 'client key'}"


def _listed(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _syntax_hint(line: str) -> str:
    value = re.fullmatch(r"[\w.-]+\s*=\s*([A-Za-z/~.$][^\"'#]*?)[\"']?\s*", line)
    if value and value[1] not in ("true", "false"):
        return "text goes in quotes"
    header = re.match(r"\[+\s*(\w+)\b", line)
    if header and header[1] in lists() and not line.startswith("[["):
        return _each(header[1])
    if line.startswith("[") and line.count("[") != line.count("]"):
        return "a section's name stands between [ and ], a list entry's between [[ and ]]"
    return ""
