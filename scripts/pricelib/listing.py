"""From the hand-kept list of prices to the table that ships, and every mistake a hand can make in it."""

import datetime
from dataclasses import dataclass, field

KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
MOST_USD = 1000.0
"""Per million tokens: more is a slip of the decimal point."""


@dataclass
class Line:
    """One model: five rates, and for larger prompts (tokens above, five rates)."""

    provider: str
    model: str
    rates: tuple
    tiers: list


@dataclass
class Listing:
    """The whole list; `problems` in words."""

    dated: datetime.date = None
    sources: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)
    problems: list = field(default_factory=list)


def read(text):
    """The list of a text, with its problems."""
    found = Listing()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        try:
            if words:
                _take(found, words)
        except (ValueError, IndexError):
            found.problems.append(f"line {number}: cannot be read")
    found.problems += problems(found)
    return found


def _take(found, words):
    if words[0] == "dated":
        found.dated = datetime.date.fromisoformat(words[1])
    elif words[0] == "source":
        found.sources[words[1]] = words[2]
    else:
        groups = " ".join(words[2:]).split(">")
        rates = _five(groups[0].split())
        tiers = [(int(g.split()[0]), _five(g.split()[1:])) for g in groups[1:]]
        found.lines.append(Line(words[0], words[1], rates, tiers))


def _five(words):
    if len(words) != len(KINDS):
        raise ValueError(words)
    return tuple(float(word) for word in words)


def problems(found):
    """What is wrong with a list as a whole, and with each line."""
    if found.dated is None:
        yield "it has no date"
    names = [(line.provider, line.model) for line in found.lines]
    if names != sorted(names):
        yield "its lines are not sorted"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name[1]} stands in it twice"
    for line in found.lines:
        if line.provider not in found.sources:
            yield f"{line.model}: {line.provider} has no source"
        yield from (f"{line.model}: {wrong}" for wrong in _wrong(line))


def _wrong(line):
    above = 0
    for tokens, rates in [(0, line.rates), *line.tiers]:
        given = dict(zip(KINDS, rates, strict=True))
        if not all(0 < rate <= MOST_USD for rate in rates):
            yield "a price is not positive, or too large to be one"
        if given["output"] < given["input"]:
            yield "output is cheaper than input"
        order = [given[k] for k in ("cache_read", "input", "cache_write_5m", "cache_write_1h")]
        if order != sorted(order) or len(set(order)) != len(order):
            yield "not: cache read < input < write for 5 min < write for 1 h"
        if tokens and tokens <= above:
            yield "its tiers are not in order"
        above = tokens


def rendered(found):
    """The table as TOML."""
    lines = [
        "# What models cost, USD per million tokens. Made by scripts/prices from its list; never fetched.",
        '# Your own prices go into the config: [prices."PATTERN"].',
        f"dated = {found.dated.isoformat()}",
    ]
    for provider in dict.fromkeys(line.provider for line in found.lines):
        lines += ["", f"# {found.sources[provider]}", f"[models.{provider}]"]
        lines += [_entry(line) for line in found.lines if line.provider == provider]
    return "\n".join(lines) + "\n"


def _entry(line):
    said = _rates(line.rates)
    if line.tiers:
        tiers = ", ".join(f"{{ above = {n}, {_rates(rates)} }}" for n, rates in line.tiers)
        said += f", tiers = [{tiers}]"
    return f'"{line.model}" = {{ {said} }}'


def _rates(rates):
    return ", ".join(f"{kind} = {rate:g}" for kind, rate in zip(KINDS, rates, strict=True))
