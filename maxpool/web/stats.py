"""`GET /stats`, `/stats/tokens`, `/stats/tokens/daily/DATE`: what was used, in a few numbers. Only reads.

Guarded as `/status` is. Days are those of the server's own time zone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from maxpool.core.records import LedgerQuery
from maxpool.core.tally import Counts
from maxpool.web.admin_body import wrong
from maxpool.web.admin_ledger import ask, total_of, usage_line
from maxpool.web.status import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.core.pool import Pool
    from maxpool.ports import Clock, LedgerReader
    from maxpool.service.stats import Stats

DAY_S: Final = 86_400.0
SHOWN_DAYS: Final = 30


@dataclass(slots=True, kw_only=True)
class StatsPages:
    """Small views for scripts; `offset_s`: seconds east of UTC at a time."""

    reader: LedgerReader | None
    pool: Pool
    stats: Stats
    clock: Clock
    offset_s: Callable[[float], int]

    def routes(self) -> list[Route]:
        """One route a path."""
        return [
            Route("/stats", self.since_start, methods=["GET"]),
            Route("/stats/tokens", self.tokens, methods=["GET"]),
            Route("/stats/tokens/daily/{date}", self.daily, methods=["GET"]),
        ]

    async def since_start(self, _request: Request) -> Response:
        """Counts since the server started, and by account as far back as the pool remembers."""
        total, accounts = Counts(), {}
        for state in self.pool.states.values():
            total.merge(state.tally.total)
            accounts[state.account.name] = asdict(state.tally.total)
        told = {
            "started_at": self.pool.started_at,
            "requests": self.stats.requests,
            "client_errors": {str(k): n for k, n in sorted(self.stats.client_errors.items())},
            "held_s": round(self.stats.held_s, 3),
            "sends": self.stats.sends,
        }
        return Json({**told, "total": asdict(total), "accounts": accounts, "now": self.clock.now()})

    async def tokens(self, _request: Request) -> Response:
        """The last days."""
        now = self.clock.now()
        query = LedgerQuery(by="day", since=now - SHOWN_DAYS * DAY_S, offset_s=self.offset_s)
        days = await ask(self.reader, lambda reader: reader.usage(query))
        shown = [{**usage_line(line), "date": line.key} for line in days]
        return Json({"days": shown, "total": usage_line(total_of(days)), "now": now})

    async def daily(self, request: Request) -> Response:
        """One day, by model and by account."""
        day = _day(request.path_params["date"])
        since = self._midnight(day.toordinal())
        until = self._midnight(day.toordinal() + 1)
        told: dict[str, Any] = {"date": day.isoformat(), "since": since, "until": until}
        models = LedgerQuery(by="model", since=since, until=until)
        accounts = LedgerQuery(by="account", since=since, until=until)
        by_model = await ask(self.reader, lambda reader: reader.usage(models))
        by_account = await ask(self.reader, lambda reader: reader.usage(accounts))
        return Json(
            {
                **told,
                "total": usage_line(total_of(by_model)),
                "models": [usage_line(line) for line in by_model],
                "accounts": [usage_line(line) for line in by_account],
            }
        )

    def _midnight(self, ordinal: int) -> float:
        """When that day begins here."""
        utc = datetime.combine(date.fromordinal(ordinal), datetime.min.time(), UTC).timestamp()
        guess = utc - self.offset_s(utc)
        return utc - self.offset_s(guess)


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise wrong("Name a day: /stats/tokens/daily/2026-11-20.") from None
    if not 1970 < found.year < 5000:
        raise wrong("Name a day of this age.")
    return found
