"""Numbers into medians with their spread, and those into a table."""

import statistics


def percentile(values, share):
    """The value below which `share` of `values` lie; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def merged(repetitions):
    """Per key the median, lowest and highest over all repetitions."""
    keys = dict.fromkeys(key for one in repetitions for key in one)
    rows = {}
    for key in keys:
        values = [one[key] for one in repetitions if key in one]
        rows[key] = {
            "median": statistics.median(values),
            "low": min(values),
            "high": max(values),
            "values": values,
        }
    return rows


def number(value):
    if value != value:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def cell(row):
    if row is None:
        return "-"
    text = number(row["median"])
    if row["high"] != row["low"]:
        text += f"  [{number(row['low'])} .. {number(row['high'])}]"
    return text


def table(direct, through):
    """Lines: what, direct, through maxpool, their ratio, and what maxpool adds to times."""
    lines = [("", "direct", "maxpool", "ratio", "added")]
    for key in dict.fromkeys([*through, *direct]):
        a, b = direct.get(key), through.get(key)
        ratio = added = "-"
        if a is not None and b is not None and a["median"]:
            ratio = f"{b['median'] / a['median']:.2f}"
            if " ms" in key:
                added = f"{number(b['median'] - a['median'])} ms"
        lines.append((key, cell(a), cell(b), ratio, added))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return ["  ".join(map(aligned, line, widths, range(5))) for line in lines]


def aligned(text, width, column):
    return text.ljust(width) if column == 0 else text.rjust(width)
