"""`quota_map` of an account: where in a provider's JSON its quota stands. The words are `wire/quotamap`'s."""

from collections.abc import Mapping

from maxpool.config.fields import wrong
from maxpool.wire.quotamap import flaw


def quota_lines(lines: Mapping[str, str]) -> Mapping[str, str]:
    """The lines of a map, each of which can be read; says which cannot."""
    for name, text in lines.items():
        told = flaw(name, text)
        if told is not None:
            raise wrong(f"{name} {told}", 'quota_map = { remaining = "data.balance" }')
    return lines
