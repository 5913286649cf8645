"""What `maxpool top` knows of the pool: the live feed's parts, or a status document. Pure; draws nothing.

Whatever a newer server tells besides is kept, and a part that never came is empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Document = dict[str, Any]

MAX_REQUESTS: Final = 200
"""Ended requests kept for the list; the server shows about the latest 50."""

SORTS: Final = ("pool", "name", "5 hours", "7 days", "state")


@dataclass(slots=True)
class Board:
    """The picture as it came last. `now` is the server's time then."""

    now: float = 0.0
    told: Document = field(default_factory=dict)
    accounts: dict[str, Document] = field(default_factory=dict)
    requests: dict[str, Document] | None = None
    """By id; None where nobody told them (a server without the live feed)."""

    def hear(self, name: str, data: Any) -> None:  # noqa: ANN401 - JSON of many shapes
        """One event of the feed, or a whole status document under the name `status`."""
        if name == "status":
            self._replace(data)
            self.requests = None
        elif name == "hello":
            self._replace({**data, **(data.get("summary") or {})})  # one part tells several
            self.requests = {r["id"]: r for r in data.get("requests") or ()}
        elif name == "account":
            _put(self.accounts, data)
        elif name == "request" and self.requests is not None:
            _put(self.requests, data)
            while len(self.requests) > MAX_REQUESTS:
                del self.requests[next(iter(self.requests))]
        elif name == "summary":
            self.told.update(data)
        elif name == "config":
            self.told.update({"config": data, "notices": data.get("notices") or ()})
        else:
            self.told[name] = data

    def status(self, now: float) -> Document:
        """The picture as a status document at that time, accounts in the server's order."""
        return {**self.told, "now": now, "accounts": self.ordered()}

    def ordered(self) -> list[Document]:
        """The accounts in the server's order; one that it has not placed yet comes last."""
        order = {key: place for place, key in enumerate(self.told.get("order") or ())}
        return sorted(self.accounts.values(), key=lambda a: order.get(a["id"], len(order)))

    def chosen(self, words: str, sort: str) -> list[Document]:
        """The accounts that hold the filter's words, sorted."""
        found = [a for a in self.ordered() if holds(words, *account_words(a))]
        if sort == "name":
            found.sort(key=lambda a: str(a.get("name")).lower())
        elif sort == "state":
            found.sort(key=lambda a: (a.get("state") in ("ready", "busy"), str(a.get("state"))))
        elif sort in ("5 hours", "7 days"):
            window = "5h" if sort == "5 hours" else "7d"
            found.sort(key=lambda a: -(used(a, window) or 0.0))
        return found

    def name_of(self, account_id: object) -> str:
        """An account's name; its id when it is gone."""
        account = self.accounts.get(str(account_id))
        return str(account_id if account is None else account.get("name"))

    def lines(self, words: str) -> list[Document]:
        """Requests with the filter's words: running ones first, then the latest."""
        found = [
            r
            for r in (self.requests or {}).values()
            if holds(words, self.name_of(r.get("account")), r.get("model"), r.get("session"))
        ]
        return sorted(found, key=lambda r: (r.get("ended_at") is None, r.get("at")), reverse=True)

    def _replace(self, data: Mapping[str, Any]) -> None:
        self.now = float(data.get("now") or 0.0)
        self.told = {k: v for k, v in data.items() if k not in ("accounts", "requests")}
        self.accounts = {a["id"]: a for a in data.get("accounts") or ()}
        config = data.get("config") or {}
        self.told.setdefault("notices", config.get("notices") or ())


def used(account: Mapping[str, Any], window: str) -> float | None:
    """How much of a quota window is used by our own count, else by the last reading; None unheard of."""
    for one in account.get("windows") or ():
        if one.get("window") == window:
            share = one.get("estimated")
            share = one.get("utilization") if share is None else share
            return None if share is None else float(share)
    return None


def account_words(account: Mapping[str, Any]) -> tuple[object, ...]:
    """What a filter looks for an account in."""
    return tuple(account.get(key) for key in ("name", "state", "kind", "provider", "plan"))


def holds(words: str, *places: object) -> bool:
    """Whether each of the words stands in one of the places."""
    text = " ".join(str(place) for place in places if place is not None).lower()
    return all(word in text for word in words.lower().split())


def _put(rows: dict[str, Document], data: Document) -> None:
    if data.get("removed"):
        rows.pop(data["id"], None)
    else:
        rows[data["id"]] = data
