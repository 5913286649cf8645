"""Numbers as Prometheus reads them: the text format, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats. Written here because 200 accounts are some
5,000 samples, which take prometheus-client 100 ms of the event loop; its parser judges this in the tests.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.service.meters import Histogram

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["counter", "gauge"]
Sample = tuple[str, float | None]
"""Labels as `labels` makes them, and the value: None where there is none, then nothing is said."""

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def labels(**given: str) -> str:
    """Labels as they stand between the braces."""
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in given.items())


class Exposition:
    """One answer to a scrape, family by family; a family without samples is not mentioned."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def family(self, name: str, kind: Kind, about: str, samples: Iterable[Sample]) -> None:
        """All samples of one counter or gauge."""
        # True and False are numbers here: adding 0 makes them look so.
        lines = [
            f"{name}{_braced(of)} {value + 0!r}\n" for of, value in samples if value is not None
        ]
        if lines:
            self._parts.append(f"# HELP {name} {about}\n# TYPE {name} {kind}\n")
            self._parts += lines

    def histogram(self, name: str, about: str, samples: Iterable[tuple[str, Histogram]]) -> None:
        """All series of one histogram."""
        parts = [part for of, histogram in samples for part in _series(name, of, histogram)]
        if parts:
            self._parts.append(f"# HELP {name} {about}\n# TYPE {name} histogram\n")
            self._parts += parts

    def encoded(self) -> bytes:
        """The whole answer."""
        return "".join(self._parts).encode()


def _series(name: str, of: str, histogram: Histogram) -> Iterable[str]:
    before = f"{of}," if of else ""
    bounds = (*(f"{bound:g}" for bound in histogram.bounds), "+Inf")
    sums = list(accumulate(histogram.counts))
    for bound, count in zip(bounds, sums, strict=True):
        yield f'{name}_bucket{{{before}le="{bound}"}} {count}\n'
    of = _braced(of)
    yield f"{name}_sum{of} {histogram.total!r}\n{name}_count{of} {sums[-1]}\n"


def _braced(of: str) -> str:
    return f"{{{of}}}" if of else ""
