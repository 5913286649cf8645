"""`value`: the decorator of values that are made on every request.

To the type checker it is `dataclass(frozen=True, slots=True)`, so nobody changes one. At run time it
leaves the freezing out: a frozen dataclass sets each field through a call, which made the values of one
request cost as much as the choice of its account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass
    from functools import partial

    def value(**options: bool) -> partial:
        """Make a class a value: compared and hashed by its fields, and changed by nobody."""
        return partial(dataclass, **options | {"frozen": False, "unsafe_hash": True})


__all__ = ["value"]
