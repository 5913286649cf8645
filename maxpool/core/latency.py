"""How fast and how surely each target answered lately: the last 20 answers of an account for one model.

A target is an (account, model) pair. Only remembers and sums up; who is preferred for it is decided in
`core/routing`.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.core.lease import (
    Burst,
    Cut,
    Garbage,
    NetworkFailure,
    Outcome,
    Overloaded,
    Success,
    TransientFailure,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

KEPT_ANSWERS = 20
SAVED_TARGETS = 500
"""Of the targets used last, so many survive a restart."""

FAILURES = (Burst, Overloaded, TransientFailure, NetworkFailure, Garbage, Cut)
"""What counts against a target; all else is the request's, the client's, or quota's."""

Key = tuple[str, str]


@dataclass(slots=True)
class Timing:
    """One target's last answers: seconds to the first byte (None: not known), or a failure (negative)."""

    answers: deque[float | None] = field(default_factory=lambda: deque(maxlen=KEPT_ANSWERS))
    worked_out: float | None = -1.0  # the p95, negative: to be worked out anew
    failed: int = 0

    def add(self, seconds: float | None) -> None:
        """One more answer; a negative number is a failure."""
        answers = self.answers
        if self.failed or (seconds is not None and seconds < 0.0):
            oldest = answers[0] if len(answers) == KEPT_ANSWERS else None
            self.failed += _failed(seconds) - _failed(oldest)
        answers.append(seconds)
        self.worked_out = -1.0

    @property
    def p95_s(self) -> float | None:
        """So long at most did 95 of 100 answers take to begin; None where none began."""
        if self.worked_out is None or self.worked_out >= 0.0:
            return self.worked_out
        known = sorted(s for s in self.answers if s is not None and s >= 0.0)
        self.worked_out = known[math.ceil(0.95 * len(known)) - 1] if known else None
        return self.worked_out

    @property
    def success(self) -> float | None:
        """The share of answers that were any; None before the first."""
        return 1.0 - self.failed / len(self.answers) if self.answers else None


def _failed(seconds: float | None) -> bool:
    return seconds is not None and seconds < 0.0


@dataclass(slots=True)
class Latencies:
    """All targets, the longest unused first; bounded."""

    limit: int
    by_target: OrderedDict[Key, Timing] = field(default_factory=OrderedDict)

    def find(self, account_id: str, model: str) -> Timing | None:
        """One target's answers, None where there were none."""
        return self.by_target.get((account_id, model))

    def ended(
        self, account_id: str, model: str, first_byte_s: float | None, outcome: Outcome
    ) -> None:
        """A lease ended; `first_byte_s`: how long after its beginning the answer began."""
        if isinstance(outcome, Success):
            seconds = first_byte_s
        elif isinstance(outcome, FAILURES):
            seconds = -1.0
        else:
            return
        if not model:
            return  # it asked no model
        key = (account_id, model)
        timing = self.by_target.get(key)
        if timing is None:
            timing = self.by_target[key] = Timing()
            while len(self.by_target) > self.limit:
                self.by_target.popitem(last=False)
        self.by_target.move_to_end(key)
        timing.add(seconds)

    def forget_account(self, account_id: str) -> None:
        """An account was removed."""
        for key in [key for key in self.by_target if key[0] == account_id]:
            del self.by_target[key]

    def of_account(self, account_id: str) -> Iterator[tuple[str, Timing]]:
        """The models that an account was asked for lately, with their answers."""
        return ((model, t) for (owner, model), t in self.by_target.items() if owner == account_id)

    def dump(self) -> list[list[Any]]:
        """What a snapshot keeps."""
        latest = list(self.by_target.items())[-SAVED_TARGETS:]
        return [[*key, list(timing.answers)] for key, timing in latest]

    def load(self, saved: Iterable[Any], known: Mapping[str, object]) -> None:
        """Take up what a snapshot kept of `known` accounts."""
        for account_id, model, answers in saved:
            if account_id in known:
                timing = self.by_target[str(account_id), str(model)] = Timing()
                for seconds in answers:
                    timing.add(None if seconds is None else max(float(seconds), -1.0))
