"""The config file's format through the versions: the text of an older one becomes the present one's.

Text in, text out; comments and order stay, since each step edits with `config/edit`. A file without a
`version` is of the first one. Newer files than this program knows are left to the check, which says so.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from typing import Final

Step = Callable[[str], str]

STEPS: Final[Mapping[int, Step]] = {}
"""By version: what makes a text of that version one of the next, its `version` line included.

Version 1 is the first and the present one. A second one comes with its step here and a file of the
first in tests/config.
"""


def upgraded(text: str, steps: Mapping[int, Step] = STEPS) -> str:
    """The text in the newest format that steps lead to; the same text where none applies."""
    while steps and (step := steps.get(_version(text))) is not None:
        before = _version(text)
        text = step(text)
        if _version(text) != before + 1:
            raise AssertionError(f"the step from config version {before} does not lead to the next")
    return text


def _version(text: str) -> int:
    """0 where the text cannot be read: whoever checks it says why."""
    try:
        found = tomllib.loads(text).get("version", 1)
    except (ValueError, RecursionError):
        return 0
    return found if isinstance(found, int) else 0
