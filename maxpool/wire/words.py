"""Numbers in words, alike in every answer, page and command. Standard library only: commands start with it."""

from __future__ import annotations

import math

LONGEST_S = 366 * 86_400.0
"""Beyond any real wait; keeps broken numbers out of texts."""


def duration(seconds: float) -> str:
    """`45 s`, `3 min`, `2 h 24 min`, `5 d 3 h`: rounded up, so that waiting that long is enough."""
    left = math.ceil(min(max(seconds, 0.0), LONGEST_S))
    if left < 60:
        return f"{left} s"
    minutes = math.ceil(left / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
