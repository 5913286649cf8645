"""Why a request went where it went, in words: from the admin API's JSON to lines and tables.

Pure: asks no server and reads no clock (times are counted from the document's own).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.cli.explain_strategy import COST, by_strategy
from maxpool.cli.explain_targets import targets
from maxpool.cli.tables import Table
from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Document = Mapping[str, Any]

SAME = 0.005
"""Costs closer than this are told as the same."""

BONUSES = {
    "warm": "its prompt cache is warm for this session",
    "parent": "the agent's parent runs there",
    "opening": "its 5-hour window does not run yet, and begins to with this",
    "prefix": "other sessions keep the same system prompt cached there",
}
"""Terms that make an account cheaper, in words."""

BURDENS = {
    "quota": "its weekly quota is cheaper than that of {other}",
    "congestion": "it is less busy than {other}",
    "outgrow": "{other} may run out of quota under the sessions that grow there",
    "recovery": "{other} has only just come back and is spared",
    "failures": "{other} has just failed",
}
"""Terms that make an account dearer, in words about the one that was not chosen."""


WAITS = {
    "paused": "the pool is paused, `maxpool resume` ends that",
    "queued": "others of its kind came first",
    "key_price": "a paid key serves only if no account that is paid for already is back by then",
    "home_busy": "the account that has its prompt cache is crowded for the moment",
    "cross_provider": "another vendor serves only if nobody of the model's own is back by then",
    "throttle": "the upstream fails alike everywhere, one request at a time finds out",
}
"""What a request waits for although an account may be open, in words."""

ALONE = "no other account of its rank (priority, paid for or not, tier) could serve"

OWNERS = 1_000_000
"""The farthest priority that an owner can give; a client's own login stands beyond it."""

SHOWN = 20
"""Candidates in a table; the rest are only counted."""


def explained(found: Document) -> list[str | Table]:
    """What would happen to a request now: one sentence, the candidates, and who cannot serve."""
    parts: list[str | Table] = [f"{_verdict(found)}"]
    if found.get("home") and found.get("chosen"):
        parts += _moved(found)
    return [*parts, *targets(found), *_candidates(found), *_cannot(found, found["at"])]


def told(found: Document) -> list[str | Table]:
    """What happened to a request: one sentence, then each try with its candidates."""
    parts: list[str | Table] = [_sentence(found), _asked(found)]
    tries: Sequence[Document] = found["tries"]
    for number, one in enumerate(tries, 1):
        if len(tries) > 1:
            parts += ["", f"Try {number} of {len(tries)}: {_because(one, tries[: number - 1])}"]
        if not one.get("forgotten"):
            parts += [_ended(one), *_moved(one), *_candidates(one), *_counts(one["unavailable"])]
    if found["refusal"] is not None:
        parts += ["", _refused(found), *_counts(found["refusal"]["counts"])]
    return parts


def why(found: Document, *, whole: bool = False, tried: Sequence[Document] = ()) -> str:
    """Why an account was chosen, as the end of a sentence.

    `whole`: all that can serve are candidates. A decision remembers only those of the winner's rank.
    `tried`: the tries of the same request before it.
    """
    candidates: Sequence[Document] = found["candidates"]
    winner = next(c for c in candidates if c["chosen"])
    others = [c for c in candidates if not c["chosen"]]
    if not others:
        if (winner.get("order") or {}).get("preferred"):
            return "you prefer it"
        names = dict.fromkeys(str(one["account"]) for one in tried if one.get("account"))
        names.pop(winner["account"], None)
        if names:
            return f"{' and '.join(names)} had been tried, and {ALONE}"
        return "no other account can serve" if whole else ALONE
    second = others[0]
    by_order = _by_order(winner, second)
    if by_order:
        return by_order
    if found["strategy"] != COST:
        equals = [c for c in candidates if c.get("order") == winner.get("order")]
        return by_strategy(found["strategy"], winner, len(equals), found["at"])
    return _by_cost(winner, second)


def _verdict(found: Document) -> str:
    if found["chosen"] is not None:
        return f"{found['chosen']} would be chosen: {why(found, whole=True)}."
    waits = found["waits_for"] or {}
    reason, until = str(waits.get("reason")), waits.get("until")
    left = "" if until is None else duration(until - found["at"])
    nobody = f"no account can serve this now ({_words(reason)})"
    if reason in WAITS or waits.get("waits"):
        rest = f", for {left}" if left else ""
        return f"It would wait{rest}: {WAITS.get(reason, nobody)}."
    rest = f"; the soonest recovery is {left} away" if left else ""
    return f"It would be refused: {nobody}{rest}."


def _by_order(winner: Document, second: Document) -> str:
    """What the owner decided, which comes before any cost."""
    own, other = winner.get("order"), second.get("order")
    if not own or not other:
        return ""
    name = second["account"]
    if own["preferred"] != other["preferred"]:
        return "you prefer it"
    if own["priority"] != other["priority"]:
        return _by_priority(own["priority"], other["priority"], name)
    if own["key"] != other["key"]:
        return f"its tokens are paid for already, those of {name} are not"
    if own["tier"] != other["tier"]:
        return f"its tier {own['tier']} comes before {other['tier']} of {name}"
    return ""


def _by_priority(own: int, other: int, name: str) -> str:
    if own < -OWNERS:
        return "it is the client's own login, and that comes first"
    if other > OWNERS:
        return f"{name} is the client's own login, and that comes last"
    return f"its priority {own} comes before {other} of {name}"


def _by_cost(winner: Document, second: Document) -> str:
    gains = {term: second["cost"].get(term, 0.0) - cost for term, cost in winner["cost"].items()}
    ranked = sorted(gains, key=lambda term: -gains[term])
    telling = [term for term in ranked[:2] if gains[term] > SAME]
    if not telling or second["total"] - winner["total"] < SAME:
        return f"it costs as much as {second['account']} and has rested longer"
    if len(telling) == 2 and gains[telling[1]] < gains[telling[0]] / 4:
        telling = telling[:1]
    return ", and ".join(_reason(term, winner, second) for term in telling)


def _reason(term: str, winner: Document, second: Document) -> str:
    own, other = winner["cost"][term], second["cost"].get(term, 0.0)
    if term in BURDENS:
        words = BURDENS[term].format(other=second["account"])
        return f"{words} ({_number(own)} against {_number(other)})"
    words = BONUSES.get(term, f"its {_words(term)} is lower")
    share = winner.get("cached_share")
    if term == "warm" and share:
        words = f"its prompt cache holds {share * 100:.0f} % of this session's prefix"
    return f"{words} ({_number(own)})"


def _sentence(found: Document) -> str:
    """The one sentence: who was chosen and why, who answered in the end, or why nobody did."""
    tries, took = found["tries"], _span(found["took_s"])
    used = [one for one in tries if one.get("account")]
    if len(tries) == 1 and used:
        return f"{used[0]['account']} was chosen: {why(used[0])}."
    if not used:
        return _nobody(found, bool(tries), took)
    *before, last = used
    tried = ", ".join(_tried(one) for one in before)
    if last["outcome"] is None:
        return f"{last['account']} is asked now; tried before: {tried}."
    if last["outcome"] == "success":
        return f"{last['account']} answered after {took}; tried before: {tried}."
    ends = f"the caller got {found['status']}" if found["status"] else "the caller left"
    return f"Nobody could answer, {ends} after {took}; tried: {tried}, {_tried(last)}."


def _nobody(found: Document, forgotten: bool, took: str) -> str:
    if forgotten:
        return "That is too long ago: its decisions are forgotten."
    if found["status"] is None:
        return f"The request waits for an account, for {took} now."
    if found["status"] == 0:
        return f"No account was asked: the caller left after {took}."
    refusal = found["refusal"]
    reason = f": {_words(refusal['reason'])}" if refusal is not None else ""
    return f"No account was asked{reason}; the caller got {found['status']} after {took}."


def _tried(one: Document) -> str:
    return f"{one['account']} ({_words(one['outcome'])})"


def _asked(found: Document) -> str:
    waited = f", waited {_span(found['waited_s'])}" if found["waited_s"] >= 0.1 else ""
    said = [found["model"] or "?"]
    said += [f"session {found['session']}"] if found["session"] else []
    said += [found["program"]] if found["program"] else []
    said += [f"{found['input_tokens']:,} tokens"] if found["input_tokens"] else []
    return f"Request {found['request_id']}: {', '.join(said)}{waited}."


def _because(one: Document, before: Sequence[Document]) -> str:
    if one.get("forgotten"):
        return f"lease {one['lease']} is long forgotten."
    return f"{one['account']}, because {why(one, tried=before)}."


def _ended(one: Document) -> str:
    waited = f"After {_span(one['waited_s'])} in the queue: " if one["waited_s"] >= 0.1 else ""
    if one["outcome"] is None:
        return f"{waited}{'its' if waited else 'Its'} answer still runs."
    took = _span(max(one["ended_at"] - one["at"], 0.0))
    return f"{waited}{'it' if waited else 'It'} ended with {_words(one['outcome'])} after {took}."


def _refused(found: Document) -> str:
    refusal = found["refusal"]
    at = refusal["retry_at"]
    again = "" if at is None else f"; the soonest recovery was {duration(at - found['at'])} away"
    detail = refusal["detail"]
    more = f" ({_words(detail)})" if detail and detail != refusal["reason"] else ""
    first = "Then the pool" if found["tries"] else "The pool"
    return f"{first} had nobody: {_words(refusal['reason'])}{more}{again}."


def _moved(found: Document) -> list[str]:
    """What a move of the session meant."""
    if not found["rebind"] or not found["lost_tokens"]:
        return []
    why_moved = {"need": "its account could not serve", "choice": "another was cheaper"}
    word = why_moved.get(found["rebind"], found["rebind"])
    left = f"{found['lost_tokens']:,} cached tokens were left behind"
    return [f"The session moved because {word}; {left} (worth {_number(found['move_cost'])})."]


def _candidates(found: Document) -> list[str | Table]:
    candidates: Sequence[Document] = found["candidates"]
    if not candidates:
        return []
    terms = [t for t in candidates[0]["cost"] if any(_shows(c["cost"].get(t)) for c in candidates)]
    rest = len(candidates) - SHOWN
    candidates = candidates[:SHOWN]
    rows = [
        (c["account"], *(_number(c["cost"].get(t, 0.0)) for t in terms), _number(c["total"]))
        for c in candidates
    ]
    marked = next((i for i, c in enumerate(candidates) if c["chosen"]), None)
    head: tuple[str, ...] = ("CANDIDATE", *(t.upper() for t in terms), "TOTAL")
    numbers = frozenset(range(1, len(head)))
    orders = [_order(c.get("order")) for c in candidates]
    if any(orders):
        head = (*head, "BEFORE COST")
        rows = [(*row, order) for row, order in zip(rows, orders, strict=True)]
    table = Table(head=head, rows=tuple(rows), numbers=numbers, marked=marked)
    strategy = found.get("strategy", COST)
    by_cost = strategy == COST
    more = f"... and {rest} more{' that cost more' if by_cost else ''}."
    note = f"The costs are for information only: the strategy is {strategy}."
    return ["", table, *([more] if rest > 0 else []), *([] if by_cost else [note])]


def _order(order: Document | None) -> str:
    """What the owner decided about a candidate, as far as it is not the usual."""
    if not order:
        return ""
    said = ["preferred"] if order["preferred"] else []
    own = abs(order["priority"]) > OWNERS
    said += ["own login"] if own else []
    said += [f"priority {order['priority']}"] if order["priority"] and not own else []
    said += ["paid key: last"] if order["key"] else []
    said += [f"tier {order['tier']}"] if order["tier"] else []
    return ", ".join(said)


def _cannot(found: Document, now: float) -> list[str | Table]:
    """Who cannot serve, the reasons that hit most first, within one by when it ends."""
    listed: Sequence[Document] = found["unavailable"]
    if not listed:
        return []
    counts = found["counts"]
    ordered = sorted(
        listed, key=lambda b: (-counts.get(b["reason"], 0), b["reason"], b["until"] or 0.0)
    )
    rows = tuple((_words(b["reason"]), b["account"], _left(b["until"], now)) for b in ordered)
    return ["", Table(head=("CANNOT SERVE", "ACCOUNT", "FOR"), rows=rows)]


def _counts(counts: Mapping[str, int]) -> list[str]:
    """How many could not serve, by reason: all that is remembered of them."""
    if not counts:
        return []
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [f"Could not serve: {', '.join(f'{n} {_words(reason)}' for reason, n in ranked)}."]


def _left(until: float | None, now: float) -> str:
    return "" if until is None else duration(until - now)


def _words(name: object) -> str:
    return str(name or "unknown").replace("_", " ")


def _shows(value: float | None) -> bool:
    return value is not None and abs(value) >= SAME


def _number(value: float) -> str:
    text = f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return "0" if text in ("0.00", "-0.00") else text.removesuffix(".00")


def _span(seconds: float) -> str:
    return (
        f"{seconds * 1000:.0f} ms"
        if seconds < 1
        else f"{seconds:.1f} s"
        if seconds < 60
        else duration(seconds)
    )
