"""A simulation's report as text: plain lines, tables for a terminal, and Markdown for a README. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.sim.summary import LOADED, MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Group

    from maxpool.cli.simulate_report import Report
    from maxpool.sim.summary import Line, Measure, Spread, Table

GAP = 2
"""Spaces between two columns."""

Column = tuple[str, list[str]]
"""(title, one cell per strategy)."""

README_MEASURES = ("share", "overhead", "moves", "late_1s", "late_60s")


def plain(report: Report, width: int | None = None) -> list[str]:
    """The report as lines of text; `width`: columns of the terminal, None = as wide as it gets."""
    lines = [report.headline(), *report.notes()]
    for table in report.tables:
        lines += ["", title(table)]
        for block in blocks(columns(table), width):
            lines += _aligned(block)
    return [*lines, "", *legend(report)]


def legend(report: Report) -> list[str]:
    """What each column says, a line each."""
    table = report.tables[0]
    told = [(measure.title, report.meaning(measure.meaning)) for measure in MEASURES]
    if len(table.lines) > 1:
        told.insert(1, (f"vs {table.lines[0].strategy}", "the difference of its share"))
    wide = max(len(name) for name, _ in told)
    return [f"{name.ljust(wide)}{' ' * GAP}{meaning}" for name, meaning in told]


def renderable(report: Report, width: int) -> Group:
    """The report for a terminal."""
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    parts: list[Text | RichTable] = [Text(report.headline(), style="bold")]
    parts += [Text(note, style="dim") for note in report.notes()]
    for table in report.tables:
        parts += [Text(), Text(title(table), style="bold cyan")]
        for block in blocks(columns(table), width):
            shown = RichTable(box=None, padding=(0, GAP, 0, 0), header_style="dim")
            for number, (head, _) in enumerate(block):
                shown.add_column(head, justify="right" if number else "left", no_wrap=True)
            for cells in zip(*(cells for _, cells in block), strict=True):
                shown.add_row(*(Text(cell, style=_style(cell)) for cell in cells))
            parts.append(shown)
    parts += [Text(), *(Text(line, style="dim") for line in legend(report))]
    return Group(*parts)


def markdown(report: Report) -> list[str]:
    """The table over all that was played, and the command that makes it again."""
    table = report.overall
    chosen = [measure for measure in MEASURES if measure.key in README_MEASURES]
    heads = ["strategy", *(measure.title for measure in chosen)]
    heads.insert(2, f"against {table.lines[0].strategy}")
    lines = [_row(heads), _row(["---"] * len(heads))]
    for line in table.lines:
        cells = [f"`{line.strategy}`"]
        cells += [measured(line.values[m.key], m, sure=m.key == "share") for m in chosen]
        cells.insert(2, difference(line, MEASURES[0]))
        lines.append(_row([cell.replace("+-", "±") for cell in cells]))
    return [*lines, "", f"{title(table)}: `{report.command('--markdown')}`"]


def title(table: Table) -> str:
    """What a table is about."""
    seeds = f"{table.seeds} seed{'' if table.seeds == 1 else 's'}"
    if table.name == LOADED:
        return f"all {len(table.families)} loaded families played ({seeds})"
    return f"{table.name} ({seeds})"


def columns(table: Table) -> list[Column]:
    """The cells of a table, column by column; the first names the strategies."""
    first = table.lines[0].strategy
    share, *others = MEASURES
    found = [
        ("strategy", [line.strategy for line in table.lines]),
        (share.title, [measured(line.values["share"], share, sure=True) for line in table.lines]),
    ]
    if len(table.lines) > 1:
        found.append((f"vs {first}", [difference(line, share) for line in table.lines]))
    for measure in others:
        cells = [measured(line.values[measure.key], measure) for line in table.lines]
        found.append((measure.title, cells))
    return found


def blocks(all_columns: Sequence[Column], width: int | None) -> Iterator[list[Column]]:
    """The columns in as many tables as the width asks for, each led by the strategies."""
    lead, *rest = all_columns
    block, used = [lead], _width(lead)
    for column in rest:
        more = GAP + _width(column)
        if width is not None and len(block) > 1 and used + more > width:
            yield block
            block, used = [lead], _width(lead)
        block.append(column)
        used += more
    yield block


def measured(found: Spread, measure: Measure, *, sure: bool = False) -> str:
    """A mean, with its standard error if that is asked for and known."""
    text = f"{found.mean:,.{measure.digits}f}"
    return text + _error(found, measure) if sure else text


def difference(line: Line, measure: Measure) -> str:
    """By how much a strategy's mean differs from the first one's; empty for that one itself."""
    if line.against_first is None:
        return ""
    found = line.against_first[measure.key]
    return f"{found.mean:+,.{measure.digits}f}{_error(found, measure)}"


def _error(found: Spread, measure: Measure) -> str:
    return "" if found.error is None else f" +-{found.error:.{measure.digits}f}"


def _style(cell: str) -> str:
    """Differences show their sign in colour."""
    return {"+": "green", "-": "red"}.get(cell[:1], "default")


def _width(column: Column) -> int:
    return max(len(text) for text in (column[0], *column[1]))


def _aligned(block: Sequence[Column]) -> list[str]:
    widths = [_width(column) for column in block]
    rows = [[head for head, _ in block], *zip(*(cells for _, cells in block), strict=True)]
    return [_line(row, widths) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
    return (" " * GAP).join(cells).rstrip()


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
