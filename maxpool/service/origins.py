"""Which origin each account's credential belongs to, so that an edited config cannot send it elsewhere.

The first origin an account is served from is bound; another one locks the account until its owner
confirms it. Moves from one loopback address to another lock nothing: the credential stays on this
machine. What was known of an account's quota belongs to its old origin either way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.ports import Destination

EVERYONE = "*"


@dataclass(frozen=True, slots=True)
class Moved:
    """An account whose origin changed; `locks` when its owner must confirm that."""

    account_id: str
    old: str
    new: str
    locks: bool


@dataclass(slots=True)
class Origins:
    """Bound origins by account id; saved with the pool's state."""

    bound: dict[str, str] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)

    def bind(
        self, destinations: Mapping[str, Destination], confirmed: frozenset[str] = frozenset()
    ) -> list[Moved]:
        """Bind new accounts, and find those that moved; `confirmed` holds account ids, or `*`."""
        moved: list[Moved] = []
        for account_id, destination in destinations.items():
            new = origin_of(destination.base_url)
            old = self.bound.setdefault(account_id, new)
            if old == new and account_id not in self.locked:
                continue
            allowed = account_id in confirmed or EVERYONE in confirmed
            locks = not allowed and not same_place(old, new)
            if locks:
                self.locked.add(account_id)
            else:  # confirmed, harmless, or back where it belongs
                self.bound[account_id] = new
                self.locked.discard(account_id)
            moved.append(Moved(account_id, old, new, locks))
        return moved


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, in lower case."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def origins_in(saved: Mapping[str, Any]) -> dict[str, str]:
    """The bound origins in a saved state; raises `StateError` when they cannot be read."""
    found = saved.get("origins", {})
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise StateError(
            "the saved state does not tell where credentials belong",
            "Check each account's base_url: it is bound anew.",
        )
    return found


def same_place(old: str, new: str) -> bool:
    """Whether a credential for one origin may go to the other without its owner's word."""
    return old == new or (_local(old) and _local(new))


def _local(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
