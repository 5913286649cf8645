"""Model families: `claude-opus-5-5` is of the family `opus`.

Quota windows, prices and benches are kept per family, never per dated model name.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=512)
def family_of(model: str) -> str:
    """The family of a model id, lower case; a name without one is its own family.

    `claude-3-5-sonnet-20241022` -> `sonnet`; `claude-opus-5-5` -> `opus`; `gpt-5.2` -> `gpt`.
    """
    name = model.lower().rsplit("/", 1)[-1]
    for part in name.split("-"):
        if part not in ("claude", "anthropic") and part.isalpha():
            return part[:64]
    return name[:64]
