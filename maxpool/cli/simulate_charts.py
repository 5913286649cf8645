"""The charts of a simulation's page: inline SVG without text, labels as HTML around it. Pure.

SVG stretches with the page while its labels keep their size, from a phone to a wide screen. Colours
are classes, so that the page's style decides them, in the dark and in the light.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from maxpool.sim.summary import Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maxpool.sim.scenario import Sample
    from maxpool.sim.summary import Line

HIGH = 100.0
"""Height of a chart in its own units; its width is its number of hours."""

COLOURS = 8
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_DAY_NAMES = 10
"""Beyond this many days only the weeks are named."""

LEAST_REACH = 0.001


@dataclass(frozen=True, slots=True)
class Axis:
    """What a chart spans: hours to the right, up to `top` upwards."""

    hours: int
    top: float

    def y(self, value: float) -> float:
        """The height of a value, counted from above."""
        return HIGH * (1.0 - min(value / self.top, 1.0)) if self.top > 0 else HIGH


def bars(lines: Sequence[Line]) -> str:
    """A bar of the share for each strategy; the whole width is 1."""
    return "".join(_bar(number, line) for number, line in enumerate(lines))


def _bar(number: int, line: Line) -> str:
    share = line.values["share"]
    sure = "" if share.error is None else f" <small>±{100 * share.error:.2f}</small>"
    return (
        f'<div class="row"><span class="name">{escape(line.strategy)}</span>'
        f'<svg class="bar" aria-hidden="true"><rect class="track" width="100%" height="100%"/>'
        f'<rect class="c{number % COLOURS}" width="{_percent(share.mean)}" height="100%"/></svg>'
        f'<span class="value">{100 * share.mean:.2f} %{sure}</span></div>'
    )


def differences(lines: Sequence[Line]) -> str:
    """A dot with a whisker for each strategy's difference to the first, around a common zero."""
    compared = [line.against_first["share"] for line in lines if line.against_first is not None]
    if not compared:
        return ""
    reach = 1.1 * max(abs(found.mean) + (found.error or 0.0) for found in compared)
    reach = max(reach, LEAST_REACH)
    rows = "".join(_difference(number, line, reach) for number, line in enumerate(lines))
    name = escape(lines[0].strategy)
    return f'<p class="small">Difference to {name}, percentage points; right is better</p>{rows}'


def _difference(number: int, line: Line, reach: float) -> str:
    """A row; the first strategy's own is the zero."""

    def at(value: float) -> str:
        return _percent(0.5 + value / reach / 2)

    found = Spread(0.0) if line.against_first is None else line.against_first["share"]
    error = found.error or 0.0
    colour = f"c{number % COLOURS}"
    sure = "" if found.error is None else f" <small>±{100 * error:.2f}</small>"
    said = "0" if line.against_first is None else f"{100 * found.mean:+.2f}{sure}"
    return (
        f'<div class="row"><span class="name">{escape(line.strategy)}</span>'
        '<svg class="dot" aria-hidden="true"><line class="zero" x1="50%" x2="50%" y1="0" y2="100%"/>'
        f'<line class="whisker s{number % COLOURS}" x1="{at(found.mean - error)}" '
        f'x2="{at(found.mean + error)}" y1="50%" y2="50%"/>'
        f'<circle class="{colour}" cx="{at(found.mean)}" cy="50%" r="5"/></svg>'
        f'<span class="value">{said}</span></div>'
    )


def served(samples: Sequence[Sample]) -> str:
    """Work burned in each hour, as an area of steps."""
    values = [sample.served for sample in samples]
    top = max(values, default=0.0)
    return _chart("Work served per hour", _millions(top), values, top, "area")


def waiting(samples: Sequence[Sample]) -> str:
    """Requests waiting at the end of each hour."""
    values = [float(sample.waiting) for sample in samples]
    top = max(values, default=0.0)
    return _chart("Requests waiting", f"peak {top:.0f}", values, top, "area warm")


def utilization(samples: Sequence[Sample], names: Sequence[str]) -> str:
    """A small chart of the weekly quota used, for each account that has one."""
    found = []
    for number, name in enumerate(names):
        values = [sample.used_7d[number] for sample in samples]
        if any(values):
            found.append(_chart(name, "100 %", values, 1.0, "line"))
    return f'<div class="grid">{"".join(found)}</div>'


def _chart(title: str, highest: str, values: Sequence[float], top: float, style: str) -> str:
    axis = Axis(len(values), top)
    draw = _line if style == "line" else _steps
    said = escape(f"{title}, up to {highest}")
    return (
        f"<figure><figcaption><b>{escape(title)}</b><span>{escape(highest)}</span></figcaption>"
        f'<svg class="chart" viewBox="0 0 {axis.hours} {HIGH:g}" preserveAspectRatio="none" '
        f'role="img" aria-label="{said}">{_days(axis)}'
        f'<path class="{style}" d="{draw(values, axis)}"/></svg>{_labels(axis)}</figure>'
    )


def _steps(values: Sequence[float], axis: Axis) -> str:
    parts = [f"M0 {HIGH:g}"]
    parts += [f"V{_short(axis.y(value))}H{hour}" for hour, value in enumerate(values, 1)]
    return "".join([*parts, f"V{HIGH:g}Z"])


def _line(values: Sequence[float], axis: Axis) -> str:
    return "M" + "L".join(f"{hour} {_short(axis.y(v))}" for hour, v in enumerate(values, 1))


def _days(axis: Axis) -> str:
    """A line at each midnight, or at the end of each week in a long run."""
    each = 24 if _names_days(axis) else 24 * 7
    at = range(each, axis.hours, each)
    return "".join(f'<path class="day" d="M{hour} 0V{HIGH:g}"/>' for hour in at)


def _labels(axis: Axis) -> str:
    """The names of the days or weeks, under the middle of each."""
    each = 24 if _names_days(axis) else 24 * 7
    names = []
    for number, start in enumerate(range(0, axis.hours, each)):
        name = WEEKDAYS[number % 7] if each == 24 else f"week {number + 1}"
        names.append(f'<span style="flex:{min(each, axis.hours - start)}">{name}</span>')
    return f'<div class="days">{"".join(names)}</div>'


def _names_days(axis: Axis) -> bool:
    return axis.hours <= 24 * MOST_DAY_NAMES


def _millions(value: float) -> str:
    return f"peak {value / 1e6:.1f} M tokens"


def _percent(share: float) -> str:
    return f"{_short(100 * min(max(share, 0.0), 1.0))}%"


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
