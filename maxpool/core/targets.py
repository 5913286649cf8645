"""From the model a client names to the model an account is asked for.

So far: an account's own model map. A map is pattern -> upstream name, patterns with `*` as in
shell globs, the first match in the owner's order wins, an exact name before any pattern.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def served_by_name(models: Mapping[str, str]) -> list[str]:
    """Names a map offers that can be listed: exact ones, and targets that it serves as they are."""
    exact = [name for name in models if "*" not in name]
    targets = [to for to in models.values() if to not in ("", "*")]
    return [*exact, *(to for to in targets if upstream_model(models, to) == to)]


def upstream_model(models: Mapping[str, str], model: str) -> str | None:
    """The name to send upstream, or None when the map does not offer the model.

    An empty map offers every model under its own name; a value of `"*"` or `""` keeps the name.
    """
    if not models:
        return model
    exact = models.get(model)
    if exact is not None:
        return model if exact in ("", "*") else exact
    for pattern, name in models.items():
        if "*" in pattern and fnmatchcase(model, pattern):
            return model if name in ("", "*") else name
    return None
