"""One list of all accounts' batches or files: page after page of one account, then of the next.

Each upstream pages by its own cursors; the pool's own says in which account to go on, and where. An
account that cannot be asked now is left out, and the answer's headers say so.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from maxpool.core.eligibility import mismatch
from maxpool.errors import StreamCut
from maxpool.service.downstream import Downstream
from maxpool.wire import replies
from maxpool.wire.resources import Merged, item_id, page_of

if TYPE_CHECKING:
    import msgspec

    from maxpool.ports import RawHeaders
    from maxpool.service.downstream import ClientWatch, Message
    from maxpool.service.forward import Forwarder
    from maxpool.service.job import Job
    from maxpool.wire.resources import Page

PREFIX: Final = "page_maxpool_"
"""What our own cursors begin with; the API's are opaque, and begin with `page_` too."""
USUAL_LIMIT: Final = 20
MOST_LIMIT: Final = 1000
MOST_ASKED: Final = 64
"""Questions for one page, at most: an upstream whose list never ends is left there."""
MAX_PAGE_BYTES: Final = 32 << 20
"""Of one account's page; a thousand entries are under 1 MB."""
CURSORS: Final = frozenset({"page", "after_id", "before_id"})

Query = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a list goes on: in which account, and by which of its own cursors ("": at its start)."""

    account_id: str
    name: str = ""
    value: str = ""

    def text(self) -> str:
        """As the client carries it."""
        told = json.dumps([self.account_id, self.name, self.value]).encode()
        return PREFIX + base64.urlsafe_b64encode(told).decode().rstrip("=")


def cursor_in(text: str) -> Cursor | None:
    """One of our cursors as it came back; None for anything else."""
    if not text.startswith(PREFIX):
        return None
    coded = text.removeprefix(PREFIX)
    try:
        told = json.loads(base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    whole = isinstance(told, list) and len(told) == 3 and all(isinstance(t, str) for t in told)
    return Cursor(*told) if whole and told[1] in ("", *CURSORS) else None


@dataclass(slots=True)
class Heard:
    """What the forwarder answered to one question of ours."""

    status: int = 0
    headers: RawHeaders = ()
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    async def send(self, message: Message) -> None:
        """Where an answer goes instead of to a client."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
            return
        self.parts.append(message["body"])
        self.size += len(message["body"])
        if self.size > MAX_PAGE_BYTES:
            self.parts.clear()
            self.status = 0
            raise StreamCut("protocol", "a longer page than a list has")

    @property
    def body(self) -> bytes:
        """The whole answer."""
        return b"".join(self.parts)

    @property
    def page(self) -> Page | None:
        """The page it is, if it is one."""
        return page_of(self.body) if self.status == 200 else None


@dataclass(slots=True)
class Listing:
    """One question for a list."""

    forwarder: Forwarder
    job: Job
    watch: ClientWatch
    merged: Merged = field(default_factory=Merged)
    failed: list[tuple[str, Heard]] = field(default_factory=list)
    asked: int = 0

    async def run(self, down: Downstream) -> None:
        """Ask as many accounts as the page takes, and answer."""
        query = self._query()
        accounts = self._accounts()
        start = self._start(query, accounts)
        if start is None or len(accounts) < 2:
            await self.forwarder.serve(self.job, down, self.watch)
            return
        rest = [pair for pair in query if pair[0] not in CURSORS]
        backwards = start.name == "before_id"
        position = accounts.index(start.account_id)
        for following in range(position, len(accounts)):
            cursor = start if following == position else Cursor(accounts[following])
            more = following + 1 < len(accounts) and not backwards
            after = Cursor(accounts[following + 1]) if more else None
            if await self._fill(cursor, rest, accounts, after) or backwards:
                break
        await self._answer(down)

    async def _fill(
        self, cursor: Cursor, rest: Query, accounts: list[str], after: Cursor | None
    ) -> bool:
        """Add one account's next entries; True when our page ends with them.

        `after`: where a list goes on when the account has no more. Entries of another account, which
        two keys of one workspace both show, are left out.
        """
        by_ids, limit = any(name.startswith("ids") for name, _ in rest), _limit(rest)
        while self.asked < MOST_ASKED:
            left = limit - len(self.merged.data)
            page = await self._ask(cursor, rest if by_ids else _limited(rest, left))
            if page is None:
                return False
            fresh = [item for item in page.data if self._is_of(cursor.account_id, item, accounts)]
            self.merged.data += fresh
            following = None if by_ids else _following(cursor.account_id, page)
            if following is None:
                full = not by_ids and after is not None and len(self.merged.data) >= limit
                self.merged.next_page = after.text() if after is not None and full else None
                return full
            if self.merged.data:
                self.merged.next_page = following.text()
                return True
            cursor = following
        return True

    def _is_of(self, account_id: str, item: msgspec.Raw, accounts: list[str]) -> bool:
        owners, now = self.forwarder.pool.owners, self.forwarder.clock.now()
        holder = owners.find(item_id(item), now)
        return holder in (None, account_id) or holder not in accounts

    async def _ask(self, cursor: Cursor, rest: Query) -> Page | None:
        """One account's own page; None when it cannot be asked or gives none."""
        query = [*rest, (cursor.name, cursor.value)] if cursor.name else rest
        path = self.job.target.partition("?")[0]
        request = replace(self.job.request, owner=cursor.account_id, max_wait_s=0.0)
        self.asked += 1
        job = replace(
            self.job,
            target=f"{path}?{urlencode(query)}" if query else path,
            request=request,
            request_id=f"{self.job.request_id}-{self.asked}",
        )
        heard = Heard()
        down = Downstream(heard.send, self.forwarder.clock, None)
        await self.forwarder.serve(job, down, self.watch)
        page = heard.page
        if page is None:
            self.failed.append((cursor.account_id, heard))
        return page

    async def _answer(self, down: Downstream) -> None:
        name = self.forwarder.endings.name
        if len(self.failed) == self.asked:  # nobody gave a page: the first one's own words
            _, first = self.failed[0]
            await down.answer(replies.Answer(first.status, tuple(first.headers), first.body))
            return
        body = self.merged.body()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", self.job.request_id.encode()),
            (b"x-maxpool-attempts", str(self.asked).encode()),
        ]
        if self.failed:
            show = self.forwarder.limits.show_account
            told = [f"{name(a)}:{h.status}" if show else str(h.status) for a, h in self.failed]
            text = ", ".join(told).encode("ascii", "replace")
            headers.append((b"x-maxpool-skipped", text[:480]))
        await down.answer(replies.Answer(200, tuple(headers), body))

    def _accounts(self) -> list[str]:
        """Who may hold something for this caller, in the owner's order."""
        states = sorted(self.forwarder.pool.states.values(), key=lambda state: state.position)
        request = self.job.request
        return [s.account.id for s in states if s.enabled and mismatch(s.account, request) is None]

    def _query(self) -> Query:
        return parse_qsl(self.job.target.partition("?")[2], keep_blank_values=True)

    def _start(self, query: Query, accounts: list[str]) -> Cursor | None:
        """Where to begin; None where the question has a form that only an upstream can judge."""
        limit: Any = dict(query).get("limit", str(USUAL_LIMIT))
        if not (limit.isdecimal() and len(limit) < 5 and 1 <= int(limit) <= MOST_LIMIT):
            return None
        given = [pair for pair in query if pair[0] in CURSORS]
        if not accounts or len(given) > 1:
            return None
        if not given:
            return Cursor(accounts[0])
        name, value = given[0]
        if name == "page":
            cursor = cursor_in(value)
        else:
            owner = self.forwarder.pool.owners.find(value, self.forwarder.clock.now())
            cursor = Cursor(owner, name, value) if owner is not None else None
        return cursor if cursor is not None and cursor.account_id in accounts else None


def _limit(rest: Query) -> int:
    return int(dict(rest).get("limit", USUAL_LIMIT))


def _following(account_id: str, page: Page) -> Cursor | None:
    """Where the account's own list goes on after that page; None where it ends."""
    if page.next_page:
        return Cursor(account_id, "page", page.next_page)
    if page.has_more and page.last_id:
        return Cursor(account_id, "after_id", page.last_id)
    return None


def _limited(rest: Query, left: int) -> Query:
    return [*((n, v) for n, v in rest if n != "limit"), ("limit", str(max(left, 1)))]
