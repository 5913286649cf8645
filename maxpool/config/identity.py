"""The id of an account whose entry in the config file names none. Standard library only.

Its own file, because commands that must start at once need the rule and nothing else of the model.
"""

from __future__ import annotations

OWN_LOGINS = "client:logins"
"""What clients' own logins are called together where accounts are named; no account's name has a colon."""


def unwritten_id(kind: str, name: str) -> str:
    """An id that stays the same while name and kind do."""
    import hashlib  # loads OpenSSL: only where it is needed

    digest = hashlib.sha256(f"{kind}\0{name}".encode()).hexdigest()
    return f"a-{digest[:12]}"
