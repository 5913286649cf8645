"""Wrong keys by the address they come from: after too many, no new key is looked at for a while.

A generated key has 256 random bits and needs none of this; one that somebody made up may be guessed.
Keys that were right before stay welcome, so that a misconfigured program behind the same router or
proxy locks nobody out. Callers on this machine are not counted: they can read the files themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final

WRONG_KEYS: Final = 20
"""Wrong keys of one address in a window: a person who mistypes has long looked the key up."""

WINDOW_S: Final = 60.0
MAX_ADDRESSES: Final = 1024
_LOCAL: Final = ("127.", "::1", "::ffff:127.")


@dataclass(slots=True)
class Address:
    """What came from one address: since when it is counted, how many wrong keys, whose right ones."""

    since: float
    wrong: int = 0
    right: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Attempts:
    """The addresses seen lately, the longest unseen first; bounded."""

    seen: OrderedDict[str, Address] = field(default_factory=OrderedDict)

    def wait_s(self, peer: str | None, name: str | None, now: float) -> float | None:
        """Seconds until this address may try a key again; None when it may now.

        `name`: whose key it sent, None for a wrong one. `now`: seconds of an even clock.
        """
        if peer is None or peer.startswith(_LOCAL):
            return None
        one = self._address(_place(peer), now)
        full = one.wrong >= WRONG_KEYS
        if name is not None and (name in one.right or not full):
            one.right.add(name)
            return None
        if name is None and not full:
            one.wrong += 1
            return None
        return max(one.since + WINDOW_S - now, 1.0)

    def _address(self, place: str, now: float) -> Address:
        one = self.seen.get(place)
        if one is None:
            one = self.seen[place] = Address(now)
            if len(self.seen) > MAX_ADDRESSES:
                self.seen.popitem(last=False)
        if now - one.since >= WINDOW_S:
            one.since, one.wrong = now, 0
        self.seen.move_to_end(place)
        return one


def _place(peer: str) -> str:
    """The address, of IPv6 its /64: one household has all of that."""
    if ":" not in peer:
        return peer
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.version == 4:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address) >> 64 << 64, 64)))
