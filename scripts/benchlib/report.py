"""Figures of all turns into medians with their spread, compared with direct, and those into a table.

How a figure compares is told by its unit, the end of its name: `ms` adds to direct's of the same
repetition, `/s` is a share of it, all others stand for themselves.
"""

import math
import statistics

WORST = (" lost", " KB of memory each", "never seen", " failed", "streams lost")
"""Figures of which the highest counts, not the median: a loss is one; memory once taken is kept for the next time."""


def percentile(values, share):
    """The value below which `share` of `values` lie; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else math.nan


def summary(values):
    """Median, lowest and highest; what is no number is left out of them."""
    known = [value for value in values if not math.isnan(value)] or [math.nan]
    return {
        "median": statistics.median(known),
        "low": min(known),
        "high": max(known),
        "values": values,
    }


def compared(name, values, base):
    """What a line adds to direct, or its share of it, repetition by repetition; None for neither."""
    if name.endswith(", ms"):
        return summary([value - before for value, before in zip(values, base, strict=False)])
    if name.endswith("/s"):
        pairs = zip(values, base, strict=False)
        return summary([value / before if before else math.nan for value, before in pairs])
    return None


def folded(turns):
    """Turns of each line ({line: [figures, ...]}) as {line: {figure: summary and comparison}}."""
    base, found = turns.get("direct", []), {}
    for line, repetitions in turns.items():
        rows = found[line] = {}
        for name in dict.fromkeys(name for figures in repetitions for name in figures):
            values = [figures[name] for figures in repetitions if name in figures]
            rows[name] = summary(values)
            before = [figures[name] for figures in base if name in figures]
            if line != "direct" and before:
                rows[name]["against_direct"] = compared(name, values, before)
    return found


def number(value):
    if math.isnan(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def told(name, row, spread=True):
    """One cell: the value, its spread, and how it compares."""
    if row is None:
        return ""
    text = number(row["high" if name.endswith(WORST) else "median"])
    if spread and row["high"] != row["low"] and not name.endswith(WORST):
        text += f" [{number(row['low'])} .. {number(row['high'])}]"
    against = row.get("against_direct")
    if against and not math.isnan(against["median"]):
        change = against["median"]
        text += f" (+{number(change)})" if name.endswith(", ms") else f" (x {change:.2g})"
    return text.replace("(+-", "(-")


def names_of(results):
    """All figures in the order of the parts."""
    return list(dict.fromkeys(name for rows in reversed(results.values()) for name in rows))


def table(results):
    """Lines of text: each figure, and a column for each way to the upstream."""
    lines = [["", *results]]
    lines += [
        [name, *(told(name, rows.get(name)) for rows in results.values())]
        for name in names_of(results)
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(map(aligned, line, widths, range(len(line)))).rstrip() for line in lines]


def aligned(text, width, column):
    return text.ljust(width) if column == 0 else text.rjust(width)


def markdown(results, preface):
    """The same for a README: medians and comparisons, without the spread."""
    lines = [preface, "", "| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for name in names_of(results):
        cells = (told(name, rows.get(name), spread=False) for rows in results.values())
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines
