"""What is measured of requests as they end: counts and histograms since the start, for `/metrics`.

Fed once per request, in about a microsecond; nothing is put into words before somebody looks. The
numbers of series is bounded, whatever model names callers invent. Sessions and clients are not told apart.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from maxpool.core.family import family_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from maxpool.core.records import RequestRecord

FIRST_BYTE_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
OVERHEAD_S: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
WAITED_S: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the buckets, in seconds."""

MAX_FAMILIES: Final = 50
"""Model families that are told apart: an owner has a dozen, a client may invent any number."""

OTHER: Final = "other"
"""The family of what nobody has answered yet, and of what came after the last that is told apart."""

CLASSES: Final = ("gone", "1xx", "2xx", "3xx", "4xx", "5xx")
"""Of an answer's status; `gone`: the caller left before there was one."""


@dataclass(slots=True)
class Histogram:
    """How many values fell into which bucket; the last bucket has no bound."""

    bounds: Sequence[float]
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, place: str, n: float) -> None:
        """More values of a bucket, or more to the total."""
        if place == "total":
            self.total += n
        elif int(place) < len(self.counts):
            self.counts[int(place)] += int(n)


_BETWEEN: Final = "\x1f"


def _named(*words: str) -> str:
    return _BETWEEN.join(words)


Key = tuple[str, str, str, int]
"""Account id ("" where none was asked), model family, API format, class of the status."""


@dataclass(slots=True)
class Meters:
    """Counts of ended requests, and how long things took."""

    requests: dict[Key, int] = field(default_factory=dict)
    first_byte_s: dict[str, Histogram] = field(default_factory=dict)  # by family
    overhead_s: Histogram = field(default_factory=lambda: Histogram(OVERHEAD_S))
    waited_s: Histogram = field(default_factory=lambda: Histogram(WAITED_S))

    def ended(self, row: RequestRecord) -> None:
        """A request has ended."""
        status = row.status
        family = self._family(row.model, told=200 <= status < 300)
        key = (row.account, family, row.format, status // 100 if status < 600 else 5)
        self.requests[key] = self.requests.get(key, 0) + 1
        self.overhead_s.observe(row.overhead_ms / 1000.0)
        if row.waited_ms > 0.0:
            self.waited_s.observe(row.waited_ms / 1000.0)
        if row.ttfb_ms is not None and family in self.first_byte_s:
            self.first_byte_s[family].observe(row.ttfb_ms / 1000.0)

    def told(self) -> dict[str, float]:
        """Every count under a name, for another process."""
        found = {_named("requests", *map(str, key)): float(n) for key, n in self.requests.items()}
        for path, one in self._histograms():
            counts = dict(enumerate(map(float, one.counts))) | {"total": one.total}
            found |= {_named(*path, str(place)): n for place, n in counts.items() if n}
        return found

    def add(self, told: Mapping[str, float]) -> None:
        """Add counts that another process told; what is not known here is left out."""
        for name, n in told.items():
            match name.split(_BETWEEN):
                case ["requests", account, family, form, status]:
                    key = (account, family, form, int(status))
                    self.requests[key] = self.requests.get(key, 0) + int(n)
                case ["first_byte_s", family, place] if self._family(family, told=True) == family:
                    self.first_byte_s[family].add(place, n)
                case ["overhead_s", place]:
                    self.overhead_s.add(place, n)
                case ["waited_s", place]:
                    self.waited_s.add(place, n)
                case _:
                    pass

    def _histograms(self) -> Iterator[tuple[tuple[str, ...], Histogram]]:
        yield ("overhead_s",), self.overhead_s
        yield ("waited_s",), self.waited_s
        yield from ((("first_byte_s", family), one) for family, one in self.first_byte_s.items())

    def _family(self, model: str, *, told: bool) -> str:
        """The family to count it under: one that an upstream has answered for."""
        family = family_of(model)
        if family in self.first_byte_s:
            return family
        if told and len(self.first_byte_s) < MAX_FAMILIES:
            self.first_byte_s[family] = Histogram(FIRST_BYTE_S)
            return family
        return OTHER
