"""The pool's picture for a terminal: from `/status` as JSON to plain lines or to a rich table.

Pure: reads no clock (times are counted from the picture's own `now`), no environment, no server.
Missing fields leave a gap, so that an older or newer server can still be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maxpool.wire.words import duration

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

Status = Mapping[str, Any]

SERVING = frozenset({"ready", "busy"})
WIDE = 10
WIDE_TERMINAL = 116
NARROW_TERMINAL = 64
"""Columns below which a table breaks: each account has two lines of its own there."""
NARROW_METER = 16
_HEAD = ("ACCOUNT", "STATE", "5 HOURS", "7 DAYS", "IN FLIGHT", "SESSIONS", "WHY NOT")
_WIDE_HEAD, _NARROW_HEAD = _HEAD[:6], _HEAD[:5]
_LONGEST_NAME = 20
_KEY_KINDS = frozenset({"api_key", "provider"})
_NO_BREAK = "\N{NO-BREAK SPACE}"

# The weekly states of people: soft, reserve, critical (see core/quota); colours follow them.
_SOFT, _RESERVED, _CRITICAL = 0.65, 0.85, 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One quota window: `used` 0..1 (None = never heard of) and seconds until its reset.

    `instead` is what to show for an account that has no such window.
    """

    used: float | None = None
    resets_in_s: float | None = None
    instead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One account as the table shows it."""

    name: str
    state: str
    five_hours: Meter
    seven_days: Meter
    in_flight: str
    sessions: str
    why: str


def rows(status: Status) -> list[Row]:
    """One row for each account, in the server's order."""
    now = number(status.get("now")) or 0.0
    return [row(account, now) for account in status.get("accounts") or ()]


def can_serve(status: Status) -> bool:
    """Whether any account could take a request now, and the pool would let it."""
    if paused(status):
        return False
    ready = status.get("summary", {}).get("accounts_ready")
    if ready is not None:
        return bool(ready)
    return any(account.get("state") in SERVING for account in status.get("accounts") or ())


def paused(status: Status) -> bool:
    """Whether somebody paused the pool by hand."""
    return bool(status.get("summary", {}).get("paused"))


def verdict(status: Status) -> str:
    """The one sentence that says how the pool is."""
    said = status.get("summary", {}).get("verdict")
    return _printable(said) if said else "no verdict"


def notes(status: Status) -> list[str]:
    """What else a person should know: the server's notices, a broken config, who waits."""
    error = (status.get("config") or {}).get("error")
    # Not said twice, should a notice repeat it.
    found = [str(n) for n in status.get("notices") or () if not error or str(error) not in str(n)]
    if error:
        found.append(f"The config file is broken, the earlier one still holds: {error}")
    queued = status.get("summary", {}).get("queued")
    if queued:
        found.append(f"{count(queued, 'request')} waiting in the queue.")
    now = number(status.get("now")) or 0.0
    for pause in (status.get("throttle") or {}).get("open") or ():
        until = number(pause.get("until"))
        rest = "" if until is None else f", for {duration(until - now)}"
        scope = pause.get("scope")
        what = f" for {scope}" if scope not in (None, "*") else ""
        found.append(f"The upstream is at its limit{what}{rest}.")
    return [_printable(note) for note in found]


def plain(status: Status, width: int | None = None) -> list[str]:
    """The picture as lines of text: verdict, notes, table; fitted to a terminal of `width`."""
    found = [verdict(status), *notes(status)]
    all_rows = rows(status)
    if not all_rows:
        return found
    if width is None:
        return [*found, "", *_aligned([_HEAD, *(_cells(row) for row in all_rows)])]
    found = [unbroken(line) for line in found]
    if width < NARROW_TERMINAL:
        return [
            *found,
            "",
            *(line for card in _cards(status, width) for line in card.plain.split("\n")),
        ]
    if width >= WIDE_TERMINAL:
        cells = [(cut(row.name, _LONGEST_NAME), *_cells(row)[1:6]) for row in all_rows]
        table = _aligned([_WIDE_HEAD, *cells])
    else:
        table = _aligned([_NARROW_HEAD, *(_narrow_cells(row) for row in all_rows)])
    return [*found, "", *(cut(line, width) for line in [*table, *_reasons(all_rows)])]


def one_line(status: Status, per_s: float | None = None) -> str:
    """The picture in a single line, for logs and pipes."""
    parts = [verdict(status)]
    if per_s is not None:
        parts.append(f"{per_s:.1f} requests/s")
    parts.append(sessions(status))
    for row in rows(status):
        used = row.five_hours.instead or percent(row.five_hours.used)
        parts.append(f"{row.name} {used}{'' if row.state in SERVING else ' ' + row.state}")
    return " | ".join(parts)


def renderable(status: Status, *, width: int = 120, per_s: float | None = None) -> Group:
    """The picture for a terminal: coloured bars in a table under the verdict."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    colour = "green" if can_serve(status) else "red"
    head = Text(unbroken(verdict(status)), style=f"bold {colour}")
    if per_s is not None:
        in_flight = status.get("summary", {}).get("requests_in_flight") or 0
        head.append(
            f"   {per_s:.1f} requests/s, {in_flight} in flight, {sessions(status)}", style="dim"
        )
    warnings = [Text(unbroken(note), style="yellow") for note in notes(status)]
    if width < NARROW_TERMINAL:
        return Group(head, *warnings, Text(""), *_cards(status, width))
    wide = width >= WIDE_TERMINAL
    all_rows = rows(status)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in _WIDE_HEAD if wide else _NARROW_HEAD:
        longest = _LONGEST_NAME if title == "ACCOUNT" else None
        table.add_column(
            title, no_wrap=True, overflow="ellipsis", min_width=len(title), max_width=longest
        )
    for row in all_rows:
        state = Text(row.state, style="green" if row.state in SERVING else "yellow")
        meters = (_coloured(row.five_hours, wide), _coloured(row.seven_days, wide))
        load = (row.in_flight, row.sessions) if wide else (row.in_flight,)
        table.add_row(Text(row.name), state, *meters, *load)
    below = [Text(cut(line, width)) for line in _reasons(all_rows)]
    return Group(head, *warnings, Text(""), table, *below)


def _cards(status: Status, width: int) -> list[Text]:
    """The accounts as `maxpool top` draws them."""
    from maxpool.cli.top_view import card

    now = number(status.get("now")) or 0.0
    return [card(account, now, width) for account in status.get("accounts") or ()]


def requests_per_s(before: Status, after: Status) -> float:
    """How fast requests ended between two pictures."""
    seconds = (number(after.get("now")) or 0.0) - (number(before.get("now")) or 0.0)
    done = _requests(after) - _requests(before)
    return max(0.0, done / seconds) if seconds > 0 else 0.0


def percent(share: float | None) -> str:
    """A share for people: "57 %", or "?" when nobody knows."""
    return "?" if share is None else f"{share * 100:.0f} %"


def bar(share: float | None, cells: int = WIDE, full: str = "#", empty: str = "-") -> str:
    """A bar of `cells` characters; any use at all shows, and only a full window fills it."""
    if share is None:
        return empty * cells
    filled = min(cells, max(0, round(share * cells)))
    if 0 < share < 1:
        filled = min(max(filled, 1), cells - 1)
    return full * filled + empty * (cells - filled)


def row(account: Mapping[str, Any], now: float) -> Row:
    """One account as the table shows it."""
    windows = {window.get("window"): window for window in account.get("windows") or ()}
    slots = account.get("slots")
    in_flight = account.get("in_flight") or 0
    five_hours, seven_days = (_meter(windows.get(name), now) for name in ("5h", "7d"))
    if not windows and account.get("kind") in _KEY_KINDS:
        five_hours = Meter(instead=_fullest_bucket(account, now) or "-")
        seven_days = Meter(instead="-")
    return Row(
        name=_printable(account.get("name") or account.get("id") or "?"),
        state=_printable(account.get("state") or "?"),
        five_hours=five_hours,
        seven_days=seven_days,
        in_flight=f"{in_flight}/{slots}" if slots else str(in_flight),
        sessions=str(account.get("sessions") or 0),
        why=_printable(_why(account, now)),
    )


def _meter(window: Mapping[str, Any] | None, now: float) -> Meter:
    if window is None:
        return Meter()
    used = number(window.get("estimated"))
    used = number(window.get("utilization")) if used is None else used
    reset_at = number(window.get("reset_at"))
    return Meter(used=used, resets_in_s=None if reset_at is None else reset_at - now)


def _fullest_bucket(account: Mapping[str, Any], now: float) -> str:
    """The most used rate bucket in few words, `tokens 80 %`; empty when none is known now."""
    found = []
    for bucket in account.get("buckets") or ():
        limit, remaining = number(bucket.get("limit")), number(bucket.get("remaining"))
        reset_at = number(bucket.get("reset_at"))
        if not limit or remaining is None or (reset_at is not None and reset_at <= now):
            continue
        used = min(1.0, max(0.0, 1.0 - remaining / limit))
        found.append((used, f"{_printable(bucket.get('name') or '?')} {percent(used)}"))
    return max(found)[1] if found else ""


def _why(account: Mapping[str, Any], now: float) -> str:
    """What keeps the account from serving; else what keeps it from serving one model."""
    if account.get("unavailable"):
        return reason(account["unavailable"], now)
    benches = account.get("models") or {}
    return "; ".join(f"{model}: {reason(bench, now)}" for model, bench in benches.items())


def reason(block: Mapping[str, Any], now: float) -> str:
    """Why something is closed, and how long still."""
    why = str(block.get("reason") or "?").replace("_", " ")
    until = number(block.get("until"))
    rest = "" if until is None else f", for {duration(until - now)}"
    detail = f": {block['detail']}" if block.get("detail") else ""
    return f"{why}{rest}{detail}"


def _cells(row: Row) -> tuple[str, ...]:
    meters = (_meter_text(row.five_hours), _meter_text(row.seven_days))
    return (row.name, row.state, *meters, row.in_flight, row.sessions, row.why)


def _narrow_cells(row: Row) -> tuple[str, ...]:
    meters = (_narrow_words(row.five_hours), _narrow_words(row.seven_days))
    return (cut(row.name, _LONGEST_NAME), row.state, *meters, row.in_flight)


def _narrow_words(meter: Meter) -> str:
    if meter.instead:
        return meter.instead if len(meter.instead) <= NARROW_METER else "-"
    return _meter_words(meter)


def _reasons(all_rows: Sequence[Row]) -> list[str]:
    """Under a table that has to fit a terminal, what its last column would say."""
    found = [f"  {row.name}: {row.why}" for row in all_rows if row.why]
    return ["", "WHY NOT", *found] if found else []


def _meter_text(meter: Meter) -> str:
    return meter.instead or f"{bar(meter.used)} {_meter_words(meter)}"


def _meter_words(meter: Meter) -> str:
    resets = "" if meter.resets_in_s is None else f"  {duration(meter.resets_in_s)}"
    return f"{percent(meter.used):>5}{resets}"


def _coloured(meter: Meter, wide: bool) -> Text:
    """A bar with its words beside it, or (narrow) with the reset on a second line."""
    from rich.text import Text

    if meter.instead:
        return Text(meter.instead if wide else _narrow_words(meter), style="dim")
    cells = WIDE if wide else WIDE // 2
    words = f" {_meter_words(meter)}"
    text = Text(bar(meter.used, cells, "█", "░"), style=colour(meter.used))
    return text.append(words if wide else words.replace("%  ", "%\n"), style="default")


def colour(used: float | None) -> str:
    """Of a bar: it follows the weekly states of people."""
    if used is None:
        return "dim"
    if used >= _CRITICAL:
        return "red"
    return "yellow" if used >= _RESERVED else "cyan" if used >= _SOFT else "green"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]


def cut(text: str, width: int) -> str:
    """The text, or as much as fits and what says that it goes on."""
    return text if len(text) <= width else f"{text[: max(0, width - 3)]}..."


def unbroken(text: str) -> str:
    """With every number kept on the line of its percent sign."""
    return text.replace(" %", f"{_NO_BREAK}%")


def count(many: int, thing: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{many} {thing}{'' if many == 1 else 's'}"


def sessions(status: Status) -> str:
    """How many sessions are bound."""
    return count((status.get("sessions") or {}).get("bound") or 0, "session")


def _requests(status: Status) -> float:
    return number((status.get("totals") or {}).get("requests")) or 0.0


def _printable(text: object) -> str:
    """Without control characters: a model's name comes from a request, and this is a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def number(value: object) -> float | None:
    """A number of any kind as it came; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
