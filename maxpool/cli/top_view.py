"""How `maxpool top` draws what it knows: cards, lists and details as styled text for a given width.

Pure: reads no clock, asks nobody. Colours are the terminal's own sixteen, so dark and light both do, and
every state has a mark of its own besides its colour.
"""

from __future__ import annotations

from time import localtime, strftime
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from maxpool.cli import render
from maxpool.cli.tables import printable
from maxpool.cli.top_board import Board, used
from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Document = Mapping[str, Any]

MARKS: Final = {
    "ready": ("●", "green"),
    "busy": ("◐", "green"),
    "cooling": ("◌", "yellow"),
    "benched": ("○", "yellow"),
    "draining": ("↓", "yellow"),
    "disabled": ("-", "dim"),
    "locked_out": ("✕", "red"),
    "closed": ("✕", "red"),
}
FULL, EMPTY, TICK, CHOSEN = "█", "░", "│", "▶"

ONE_LINE: Final = 76
"""Columns from which an account is one line; below it is two."""

WITH_DRY: Final = 104
"""Columns from which a line also says when the account runs dry."""

_RESET_CELLS = 11  # a gap and "6 d 23 h", "59 min", "2 h 24 min"
_WITH_RESET = 40
_LONGEST_NAME, _SHORTEST_NAME = 20, 10
_SHORTEST_BAR = 4
_LEAST = 8  # cells of a cut column: the beginning of a session's id tells it from others


def heading(board: Board, now: float, per_s: float | None, lost: str | None) -> Text:
    """The verdict, how busy the pool is, and what a person should know."""
    status = board.status(now)
    if lost is not None:
        said = f"No answer: {printable(lost)}. Trying again every second."
        found = Text().append(said, style="bold red")
        found.append(f"\nLast seen {duration(now - board.now)} ago: ", style="dim")
        return found.append(render.verdict(status), style="dim")
    style = "bold green" if render.can_serve(status) else "bold red"
    found = Text().append(render.unbroken(render.verdict(status)), style=style)
    summary = board.told.get("summary") or {}
    parts = [f"{summary.get('requests_in_flight') or 0} in flight"]
    parts += [f"{per_s:.1f} requests/s"] if per_s is not None else []
    parts.append(render.sessions(status))
    preferred = summary.get("preferred")
    parts += [f"{board.name_of(preferred)} preferred"] if preferred else []
    found.append(f"\n{' · '.join(parts)}", style="dim")
    for note in render.notes(status):
        found.append(f"\n! {render.unbroken(note)}", style="yellow")
    return found


def card(account: Document, now: float, width: int) -> Text:
    """One account: a line with quota bars (two on a narrow terminal), and why it does not serve."""
    row = render.row(account, now)
    mark, style = MARKS.get(row.state, ("?", "yellow"))
    one = width >= ONE_LINE
    dry = _dry(account, now) if width >= WITH_DRY and not row.why else ""
    state = Text(f"{mark} {render.cut(row.state, 10):<10}", style=style)
    load = f"{row.in_flight:>7}"
    if one:
        cells, name_cells = _shares(width)
        line = Text(f"{render.cut(row.name, name_cells):<{name_cells}} ").append_text(state)
        for label in ("5h", "7d"):
            line.append("  ").append_text(_meter(account, label, now, cells))
        line.append(load)
        if width >= WITH_DRY:
            line.append(f"  {dry}", style="yellow")
    else:
        name_cells = min(_LONGEST_NAME, max(6, width - 21))
        line = Text(f"{render.cut(row.name, name_cells):<{name_cells}} ").append_text(state)
        line.append(load).append("\n")
        cells = min(20, (width - 2 * (3 + 6 + _RESET_CELLS) - 2) // 2)
        resets = width >= _WITH_RESET
        cells = cells if cells >= _SHORTEST_BAR else 0
        for label in ("5h", "7d"):
            line.append("5h " if label == "5h" else f"  {label} ", style="dim")
            line.append_text(_meter(account, label, now, cells, resets=resets))
    line.rstrip()
    why = row.why if row.why != row.state.replace("_", " ") else ""
    if why and width >= WITH_DRY and not dry and line.cell_len + 2 + len(why) <= width:
        return line.append(f"  {why}", style="yellow")
    if why:
        line.append(f"\n  {render.cut(why, width - 3)}", style="yellow")
    return line


def chosen(text: Text, *, mark: bool) -> Text:
    """A card in the list, a column wider: with the mark of the one that keys are for."""
    found = Text(CHOSEN if mark else " ", style="bold")
    first, *rest = text.split("\n")
    found.append_text(first)
    if mark:
        found.stylize("bold", 0, len(found))
    for line in rest:
        found.append("\n ").append_text(line)
    return found


def card_head(width: int) -> Text:
    """What the columns of the cards are; empty where each says it itself."""
    if width < ONE_LINE:
        return Text("")
    cells, name_cells = _shares(width)
    meter = cells + 6 + _RESET_CELLS
    line = (
        f"{'ACCOUNT':<{name_cells}} {'STATE':<12}  {'5 HOURS':<{meter}}  {'7 DAYS':<{meter}} FLIGHT"
    )
    return Text(f"{line}  DRY IN" if width >= WITH_DRY else line, style="dim")


def _shares(width: int) -> tuple[int, int]:
    """Cells of a bar and of a name: what is left of a line beside its words."""
    left = width - (1 + 12 + 2 * (2 + 6 + _RESET_CELLS) + 7 + (16 if width >= WITH_DRY else 0))
    name = max(_SHORTEST_NAME, min(_LONGEST_NAME, left // 3))
    return max(0, min(20, (left - name) // 2)), name


def _meter(account: Document, label: str, now: float, cells: int, *, resets: bool = True) -> Text:
    """A window as a bar with the mark of an even pace, its use and its reset."""
    window = next((w for w in account.get("windows") or () if w.get("window") == label), None)
    whole = cells + (6 if cells else 5) + _RESET_CELLS
    if window is None:
        return Text(f"{'-':<{whole}}", style="dim")
    share = used(account, label)
    share = None if share is None else min(share, 1.0)  # an estimate may run over
    style = "dim" if window.get("benched_until") else render.colour(share)
    found = Text(render.bar(share, cells, FULL, EMPTY) if cells else "", style=style)
    even = even_pace(window, now)
    if even is not None and cells:
        place = min(cells - 1, int(even * cells))
        found = found[:place] + Text(TICK, style="bold") + found[place + 1 :]
    reset_at = render.number(window.get("reset_at"))
    left = "" if reset_at is None or not resets else duration(reset_at - now)
    found.append(f"{render.percent(share):>{6 if cells else 5}}")
    return found.append(f" {left:<{_RESET_CELLS - 1}}", style="dim")


def even_pace(window: Document, now: float) -> float | None:
    """How much would be used by now at an even pace over the window; None where that means nothing."""
    reset_at, length_s = (render.number(window.get(key)) for key in ("reset_at", "length_s"))
    if reset_at is None or not length_s or reset_at <= now:
        return None
    return min(1.0, max(0.0, 1.0 - (reset_at - now) / length_s))


def _dry(account: Document, now: float) -> str:
    """The window that runs out first, and in how long."""
    times = [
        (float(w["exhausts_at"]), str(w.get("window")))
        for w in account.get("windows") or ()
        if w.get("exhausts_at") and w["exhausts_at"] > now
    ]
    return f"{duration(min(times)[0] - now)} ({min(times)[1]})" if times else ""


def requests(board: Board, now: float, width: int, words: str) -> Text:
    """The latest requests, one a line."""
    if board.requests is None:
        return Text("This server tells no requests live; see: maxpool explain", style="dim")
    found = board.lines(words)
    if not found:
        return Text("No request yet." if not words else f"No request holds {words!r}.", style="dim")
    rows = [_request(board, one, now) for one in found]
    return _columns(
        ("TIME", "MODEL", "ACCOUNT", "STATUS", "TOOK", "SESSION"), rows, width, (5, 1, 2)
    )


def _request(board: Board, one: Document, now: float) -> tuple[str, ...]:
    at, ended_at = float(one.get("at") or now), one.get("ended_at")
    status = one.get("status")
    said = "running" if ended_at is None else str(one.get("refusal") or status or "left")
    took = f"{max(0.0, (ended_at or now) - at):.1f} s"
    account = board.name_of(one["account"]) if one.get("account") else "-"
    moved = f" <- {one['rebind']}" if one.get("rebind") else ""
    return (
        strftime("%H:%M:%S", localtime(at)),
        str(one.get("model") or "?"),
        account,
        said,
        took,
        f"{one.get('session') or '-'}{moved}",
    )


def sessions(board: Board, now: float, width: int, words: str) -> Text:
    """The sessions, the latest first: where they are bound."""
    told = board.told.get("sessions") or {}
    rows = [
        (
            str(one.get("session")),
            board.name_of(one.get("account")),
            str(one.get("turns")),
            str(one.get("moves")),
            duration(_age(one, "idle_s", now)),
            "protected" if one.get("protected") else "",
        )
        for one in told.get("list") or ()
    ]
    rows = [row for row in rows if all(w in " ".join(row).lower() for w in words.lower().split())]
    if not rows:
        return Text("No session is bound to an account.", style="dim")
    head = ("SESSION", "ACCOUNT", "TURNS", "MOVES", "IDLE", "")
    return _columns(head, rows, width, (0, 1))


def queue(board: Board, now: float, width: int, words: str) -> Text:
    """Who waits, for what, and until when."""
    rows = [
        (
            str(one.get("position")),
            str(one.get("class")),
            duration(_age(one, "waiting_s", now)),
            str(one.get("cause")).replace("_", " "),
            duration(one["expected_at"] - now) if one.get("expected_at") else "?",
        )
        for one in board.told.get("queue") or ()
    ]
    rows = [row for row in rows if all(w in " ".join(row).lower() for w in words.lower().split())]
    if not rows:
        return Text("Nobody waits.", style="dim")
    return _columns(("PLACE", "MODEL", "WAITS", "BECAUSE", "EXPECTED IN"), rows, width, (1, 3))


def _age(one: Document, ready: str, now: float) -> float:
    """Seconds: as a status document says them, or since the time that the feed tells."""
    since = one.get("since")
    return float(one.get(ready) or 0.0) if since is None else now - float(since)


def _columns(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int, shrinks: Sequence[int]
) -> Text:
    """Aligned lines; where they are too wide the columns `shrinks` give way in turn, then the last."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    for column in shrinks:
        over = sum(widths) + 2 * (len(widths) - 1) - width
        widths[column] = min(widths[column], max(_LEAST, widths[column] - max(0, over)))
    found = Text()
    for number, line in enumerate((head, *cells)):
        joined = "  ".join(f"{_cut(c, w):<{w}}" for c, w in zip(line, widths, strict=True))
        found.append(f"{joined.rstrip()[:width]}\n", style="dim" if number == 0 else "")
    found.rstrip()
    return found


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def details(account: Document, now: float, width: int) -> Text:
    """One account in full, as name and value."""
    row = render.row(account, now)
    mark, style = MARKS.get(row.state, ("?", "yellow"))
    found = Text(f"{mark} {row.name}", style=f"bold {style}")
    found.append(f"  {row.state}{': ' + row.why if row.why else ''}\n\n")
    for window in account.get("windows") or ():
        found.append_text(_window(window, now, width)).append("\n")
    found.append("\n")
    for name, value in _facts(account, now):
        found.append(f"{name:<12}", style="dim").append(f"{printable(value)}\n")
    return found


def _window(window: Document, now: float, width: int) -> Text:
    label = str(window.get("window"))
    line = Text(f"{label:<12}", style="dim")
    cells = max(4, min(30, width - 48))
    line.append_text(_meter({"windows": [window]}, label, now, cells))
    parts = []
    if window.get("burn_per_hour"):
        parts.append(f"{window['burn_per_hour'] * 100:.1f} % an hour")
    if window.get("exhausts_at") and window["exhausts_at"] > now:
        parts.append(f"dry in {duration(window['exhausts_at'] - now)}")
    elif window.get("projected_at_reset") is not None:
        parts.append(f"{render.percent(window['projected_at_reset'])} at its reset")
    if window.get("benched_until"):
        parts.append(f"closed for {duration(window['benched_until'] - now)}")
    source = window.get("source")
    parts += [f"from {source}"] if source else []
    return line.append(f"\n{'':<12}{', '.join(parts)}" if parts else "")


def _facts(account: Document, now: float) -> list[tuple[str, str]]:
    last, login = account.get("last_hour") or {}, account.get("credential") or {}
    probe, error = account.get("probe") or {}, account.get("last_error")
    found = [
        ("kind", " ".join(str(account[k]) for k in ("kind", "plan", "provider") if account.get(k))),
        ("priority", str(account.get("priority"))),
        ("in flight", f"{account.get('in_flight')} of {account.get('slots')}"),
        ("sessions", str(account.get("sessions"))),
        ("last hour", f"{last.get('requests', 0)} requests, {last.get('failed', 0)} failed"),
        ("tokens", _tokens(last)),
    ]
    if last.get("p50_ms"):
        found.append(("median time", f"{last['p50_ms'] / 1000:.1f} s"))
    for key, name in (("expires_at", "token ends"), ("grant_expires_at", "login ends")):
        if login.get(key):
            found.append((name, f"in {duration(login[key] - now)}"))
    if probe.get("last_at"):
        said = f": {probe['last_result']}" if probe.get("last_result") else ""
        found.append(("last probe", f"{duration(now - probe['last_at'])} ago{said}"))
    if error:
        ago = duration(now - error["at"])
        found.append(("last error", f"{error['class'].replace('_', ' ')}, {ago} ago"))
        found += [("", error["message"])] if error.get("message") else []
    return found


def _tokens(counts: Document) -> str:
    def short(key: str) -> str:
        number = counts.get(key) or 0
        return str(number) if number < 1000 else f"{number / 1000:,.0f}k"

    return f"{short('tokens_in')} in, {short('tokens_out')} out, {short('cache_read')} from cache"
