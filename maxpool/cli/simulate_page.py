"""A simulation's report as one self-contained page: no script, nothing fetched from anywhere. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from maxpool.cli import simulate_charts as charts
from maxpool.cli.simulate_view import title
from maxpool.sim.summary import LOADED, MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.cli.simulate_report import Report
    from maxpool.sim.scenario import Result
    from maxpool.sim.summary import Line, Measure, Table

STYLE = """
:root { color-scheme: light dark; --bg: #f7f7f5; --card: #fff; --ink: #1d1d1f; --dim: #63636b;
  --line: #dededb; --track: #ececea; --good: #1f7a4d; --bad: #b42318;
  --c0: #2f6fde; --c1: #d97706; --c2: #1f8a5b; --c3: #9333c9; --c4: #c2255c; --c5: #0e8fa3;
  --c6: #7a6a00; --c7: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --bg: #131316; --card: #1c1c21; --ink: #ececf1;
  --dim: #a0a0ab; --line: #34343d; --track: #2a2a31; --good: #4cc38a; --bad: #ff8a7a;
  --c0: #6ea0ff; --c1: #f0a548; --c2: #4cc38a; --c3: #c48af0; --c4: #f27ca2; --c5: #4fc3d5;
  --c6: #cdb94b; --c7: #9aa0aa; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 15px; font-weight: 600; margin: 0 0 4px; color: var(--dim); }
.verdict { font-size: 24px; font-weight: 650; line-height: 1.25; margin: 0 0 12px; max-width: 34em; }
.facts { margin: 0 0 4px; color: var(--dim); max-width: 60em; }
h2 { font-size: 17px; margin: 0 0 12px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px; margin-top: 14px; }
.split { display: grid; grid-template-columns: 1fr; gap: 8px 36px; }
@media (min-width: 860px) { .split.two { grid-template-columns: 1fr 1fr; } }
.row { display: grid; grid-template-columns: 104px 1fr 118px; gap: 10px; align-items: center;
  height: 26px; font-size: 14px; }
.value { font-variant-numeric: tabular-nums; white-space: nowrap; }
small, .small { color: var(--dim); font-size: 12.5px; }
.small { margin: 0 0 6px; }
svg { display: block; width: 100%; }
.bar { height: 12px; border-radius: 3px; } .dot { height: 20px; overflow: visible; }
.track { fill: var(--track); } .zero { stroke: var(--dim); stroke-width: 1; }
.whisker { stroke-width: 2; stroke-linecap: round; }
.scroll { overflow-x: auto; margin-top: 14px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: right; padding: 5px 0 5px 18px; border-top: 1px solid var(--line);
  font-variant-numeric: tabular-nums; white-space: nowrap; vertical-align: top; }
thead th { border-top: 0; color: var(--dim); font-weight: 500; }
th:first-child { text-align: left; padding-left: 0; font-weight: 600; }
td small { display: block; font-size: 11.5px; }
figure { margin: 0 0 16px; } figcaption { display: flex; justify-content: space-between;
  font-size: 13px; gap: 12px; margin-bottom: 3px; } figcaption span { color: var(--dim); }
.chart { height: 120px; border-bottom: 1px solid var(--dim); border-top: 1px dashed var(--line); }
.chart path { vector-effect: non-scaling-stroke; }
.day { stroke: var(--line); stroke-width: 1; fill: none; }
.area { fill: var(--c0); opacity: .8; } .warm { fill: var(--c1); }
.chart .line { fill: none; stroke: var(--c0); stroke-width: 1.8; stroke-linejoin: round; }
.days { display: flex; color: var(--dim); font-size: 11.5px; text-align: center; }
.days span { flex: 1 1 0; min-width: 0; overflow: hidden; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 4px 24px; }
.grid .chart { height: 64px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0; font-size: 13px; }
dt { font-weight: 600; } dd { margin: 0; color: var(--dim); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.5 ui-monospace, monospace; margin: 0; }
@media (max-width: 480px) { .row { grid-template-columns: 84px 1fr 104px; gap: 8px; font-size: 13px; }
  .verdict { font-size: 20px; } }
"""

SURE = 2.0
"""Standard errors by which a difference must exceed zero to be called one."""

_COLOURS = "".join(
    f".c{n} {{ fill: var(--c{n}); }} .s{n} {{ stroke: var(--c{n}); }}\n"
    for n in range(charts.COLOURS)
)


def page(report: Report) -> str:
    """The page."""
    tables = sorted(report.tables, key=lambda table: table.name != LOADED)
    run = report.charted
    body = [
        f"<h1>maxpool simulate: {escape(report.headline())}</h1>",
        f'<p class="verdict">{escape(verdict(report))}</p>',
        *(f'<p class="facts">{escape(note.replace("+-", "±"))}</p>' for note in report.notes()),
        *(_section(table) for table in tables),
        "" if run is None else _run(run, report.accounts(run)),
        _legend(report),
        f"<section><h2>The same again</h2><pre>{escape(report.command())}</pre></section>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>maxpool simulate</title><style>{STYLE}{_COLOURS}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def verdict(report: Report) -> str:
    """One sentence: who serves most, and whether the seeds played make that sure."""
    table = report.overall
    best = max(table.lines, key=lambda line: line.values["share"].mean)
    first = table.lines[0]
    where = f"over {len(table.families)} loaded families" if table.name == LOADED else table.name
    basis = report.basis.partition(":")[0]
    said = f"{best.strategy} serves {100 * best.values['share'].mean:.1f} % of {basis} ({where})"
    if len(table.lines) == 1:
        return f"{said}."
    if best.against_first is None:
        return f"{said}; no other played serves more."
    found = best.against_first["share"]
    error = found.error or 0.0
    if found.error is None or found.mean < SURE * error:
        return f"{said}; too few seeds to call that better than {first.strategy}."
    points = f"{100 * found.mean:.2f} ± {100 * error:.2f}"
    return f"{said}, {points} points more than {first.strategy}."


def _section(table: Table) -> str:
    difference = charts.differences(table.lines)
    apart = f"<div>{difference}</div>" if difference else ""
    heads = "".join(f"<th>{escape(measure.title)}</th>" for measure in MEASURES[1:])
    rows = "".join(_line(line) for line in table.lines)
    return (
        f"<section><h2>{escape(title(table))}</h2>"
        f'<div class="split{" two" if apart else ""}"><div><p class="small">Share served</p>'
        f"{charts.bars(table.lines)}</div>{apart}</div>"
        f'<div class="scroll"><table><thead><tr><th>strategy</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _line(line: Line) -> str:
    cells = "".join(_cell(line, measure) for measure in MEASURES[1:])
    return f"<tr><th>{escape(line.strategy)}</th>{cells}</tr>"


def _cell(line: Line, measure: Measure) -> str:
    found = line.values[measure.key]
    sure = "" if found.error is None else f"<small>±{found.error:,.{measure.digits}f}</small>"
    return f"<td>{found.mean:,.{measure.digits}f}{sure}</td>"


def _run(run: Result, names: tuple[str, ...]) -> str:
    about = f"One run by the hour: {run.strategy} in {run.family}, seed {run.seed}"
    return (
        f"<section><h2>{escape(about)}</h2>{charts.served(run.samples)}"
        f"{charts.waiting(run.samples)}"
        '<p class="small">Weekly quota used, by account; it falls to zero at each reset. What is '
        f"missing to the top there has lapsed.</p>{charts.utilization(run.samples, names)}</section>"
    )


def _legend(report: Report) -> str:
    return f"<section><h2>What the columns mean</h2><dl>{''.join(_meanings(report))}</dl></section>"


def _meanings(report: Report) -> Iterator[str]:
    for measure in MEASURES:
        meaning = escape(report.meaning(measure.meaning))
        yield f"<dt>{escape(measure.title)}</dt><dd>{meaning}</dd>"
