"""One line for Claude Code's status line: model, context, quota here and in the pool, the next reset.

Pure: facts in, text out. What does not fit is left out, the least important first. Standard library
only: it runs at every prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maxpool.wire.statusline import Window

NAME: Final = "maxpool"
GAP: Final = " · "
WARN_AT, FULL_AT = 0.7, 0.9
"""Shares from which a number is yellow, and red."""

_RED, _YELLOW, _GREEN, _DIM, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[2m", "\x1b[0m"
_WIDE_FROM: Final = "\u1100"
"""From here on a character may take two columns: counted so, a line is at worst too short."""


class Place(NamedTuple):
    """An account, or all of them: its name and its windows (`5h`, `7d`)."""

    name: str
    windows: Mapping[str, Window]


class Facts(NamedTuple):
    """All that a line may show; each may be unknown. `ready`: accounts that can serve, of how many."""

    model: str | None = None
    context: float | None = None
    account: Place | None = None
    pool: Place | None = None
    ready: tuple[int, int] | None = None


class _Part(NamedTuple):
    """A piece of the line: words and their colours; the highest `rank` is left out first."""

    rank: int
    words: list[tuple[str, str]]

    @property
    def width(self) -> int:
        return sum(2 if char >= _WIDE_FROM else 1 for text, _ in self.words for char in text)

    def text(self, *, colour: bool) -> str:
        return "".join(f"{c}{text}{_PLAIN}" if colour and c else text for text, c in self.words)


def line(facts: Facts, now: float, *, width: int | None = None, colour: bool = False) -> str:
    """The line, without its end. `width`: columns there are, None where nobody says."""
    parts = [
        part
        for part in (
            _model(facts),
            _context(facts),
            _place(2, facts.account, now),
            _place(3, facts.pool, now, facts.ready),
            _reset(facts, now),
        )
        if part is not None
    ] or [_Part(0, [(NAME, _DIM)])]
    while width is not None and len(parts) > 1 and _width(parts) > width:
        parts.remove(max(parts, key=lambda part: part.rank))
    if width is not None and _width(parts) > width:
        parts = [_Part(0, [(_cut(parts[0], width), "")])]
    return (f"{_DIM}{GAP}{_PLAIN}" if colour else GAP).join(p.text(colour=colour) for p in parts)


def _model(facts: Facts) -> _Part | None:
    return _Part(1, [(facts.model, "")]) if facts.model else None


def _context(facts: Facts) -> _Part | None:
    if facts.context is None:
        return None
    return _Part(4, [("ctx ", _DIM), _share(facts.context)])


def _place(
    rank: int, place: Place | None, now: float, ready: tuple[int, int] | None = None
) -> _Part | None:
    """A name and its windows; one whose reset has passed is unknown until somebody tells again."""
    if place is None:
        return None
    part = _Part(rank, [(place.name, _DIM)])
    if ready is not None:
        level = _RED if ready[0] == 0 else ""
        part.words.append((f" {ready[0]}/{ready[1]}", level))
    for name in ("5h", "7d"):
        known = place.windows.get(name)
        current = None if known is None else known.at(now)
        if current is not None:
            part.words.extend([(f" {name} ", _DIM), _share(current.used)])
    return part if len(part.words) > 1 else None


def _reset(facts: Facts, now: float) -> _Part | None:
    """The next reset that matters: of the fullest window where one is full, else the soonest."""
    for place in (facts.account, facts.pool):
        known = [] if place is None else list(place.windows.items())
        ahead = [(n, w) for n, w in known if w.reset_at is not None and w.reset_at > now]
        if ahead:
            full = [(n, w) for n, w in ahead if w.used >= FULL_AT]
            name, next_one = min(full or ahead, key=lambda one: one[1].reset_at or 0.0)
            left = duration((next_one.reset_at or now) - now)
            return _Part(5, [(f"{name} resets in ", _DIM), (left, "")])
    return None


def _share(used: float) -> tuple[str, str]:
    level = _GREEN if used < WARN_AT else _YELLOW if used < FULL_AT else _RED
    return f"{used * 100:.0f} %", level


def _width(parts: Sequence[_Part]) -> int:
    return sum(part.width for part in parts) + len(GAP) * (len(parts) - 1)


def _cut(part: _Part, width: int) -> str:
    """What of a single part fits."""
    text = part.text(colour=False)
    while text and _Part(0, [(text, "")]).width > width:
        text = text[:-1]
    return text
