"""An OAuth sign-in as steps without I/O: what was begun, and what an answer to it is worth.

RFC 6749 section 4.1 with PKCE (RFC 7636). An answer comes back through the browser (the query of
the callback) or through a person (what the provider's page shows, or the whole address the browser
was sent to). Only one that carries this sign-in's `state` counts. Browser, terminal and token
endpoint belong to the driver (`app/signin`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import parse_qs, urlsplit

from maxpool.ports import Secret

MAX_ANSWER = 8192
"""Characters of an answer that are looked at: many times what any provider's code has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sign-in that was begun: where the person goes, and what its answer must match."""

    url: str = field(repr=False)  # the state is in it
    redirect_uri: str
    state: str = field(repr=False)
    verifier: Secret


@dataclass(frozen=True, slots=True)
class Code:
    """The provider's authorization code for this sign-in."""

    value: Secret


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an answer is no code; `final` when the sign-in itself is over, else another may follow."""

    text: str
    final: bool = False


def answer(attempt: Attempt, text: str) -> Code | Problem:
    """What a person pasted: `code#state`, or the whole address with `code` and `state` in it."""
    text = "".join(text.split())
    if len(text) > MAX_ANSWER:
        return Problem("that is too long for a code")
    if not text:
        return Problem("nothing was pasted")
    if "code=" in text or "error=" in text:
        try:
            query = urlsplit(text).query if "?" in text else text
        except ValueError:
            return Problem("the answer cannot be read")
        return returned(attempt, query)
    code, mark, state = text.partition("#")
    if not mark or not state:
        return Problem("the code is not whole: copy all of it, with the # and what follows")
    return _matched(attempt, code, state)


def returned(attempt: Attempt, query: str) -> Code | Problem:
    """What the callback's query says; another sign-in's answer is no end of this one."""
    try:
        fields = parse_qs(query[:MAX_ANSWER], max_num_fields=20)
    except ValueError:
        return Problem("the answer cannot be read")
    if any(len(fields.get(name, ())) > 1 for name in ("code", "state", "error")):
        return Problem("the answer says something twice")
    state = fields.get("state", [""])[0]
    if "error" in fields:
        if not _same(attempt, state):
            return _strange()
        return Problem(_refusal(fields), final=True)
    return _matched(attempt, fields.get("code", [""])[0], state)


def _matched(attempt: Attempt, code: str, state: str) -> Code | Problem:
    if not _same(attempt, state):
        return _strange()
    if not code or not code.isascii() or not code.isprintable():
        return Problem("the answer holds no code")
    return Code(Secret(code))


def _same(attempt: Attempt, state: str) -> bool:
    return compare_digest(attempt.state.encode(), state.encode())


def _strange() -> Problem:
    return Problem("that belongs to another sign-in: its state is not the one this one began with")


def _refusal(fields: dict[str, list[str]]) -> str:
    """The provider's own words for why it gave no code (RFC 6749 section 4.1.2.1)."""
    error = _plain(fields["error"][0], 60)
    said = _plain(fields.get("error_description", [""])[0], 200)
    if error == "access_denied" and not said:
        return "the sign-in was declined"
    return f"the provider ended the sign-in: {said or error}"


def _plain(text: str, most: int) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:most]).strip()
