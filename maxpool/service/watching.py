"""Noticing what happens to the pool: its state is looked at each second, and what changed is an event.

The core has no listeners, by design; a look at all accounts costs microseconds. What lasts shorter than the
time between two looks is no event. Decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from maxpool.core.eligibility import Context, Unavailable, account_state
from maxpool.core.view import state_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState
    from maxpool.ports import Clock
    from maxpool.service.events import Events, Kind
    from maxpool.service.reload import Reloader

LOOK_S: Final = 1.0
"""Between two looks."""

SERVES: Final = frozenset({"ready", "busy"})
"""Between these an account goes to and fro with each request: that is no news."""


class Seen(NamedTuple):
    """One account at a look."""

    name: str
    state: str
    reason: str
    until: float | None
    dead: str
    logins: int


@dataclass(slots=True)
class Watch:
    """Compares each look with the last one. `trouble`: the ledger's, "" for none."""

    pool: Pool
    clock: Clock
    events: Events
    reloader: Reloader
    trouble: Callable[[], str] = str
    accounts: dict[str, Seen] | None = None  # None before the first look, which tells nothing
    pauses: dict[str, float] = field(default_factory=dict)
    config: tuple[int, str | None] = (0, None)
    troubled: str = ""

    async def tick(self) -> None:
        """Look once."""
        self.look()

    def look(self) -> None:
        """The same, at once."""
        now = self.clock.now()
        seen = self._seen(now)
        if self.accounts is not None:
            self._compare(self.accounts, seen)
        self.accounts = seen
        self._look_at_pauses()
        self._look_at_config()
        trouble = self.trouble()
        if bool(trouble) != bool(self.troubled):
            self._tell("ledger_trouble" if trouble else "ledger_mended", error=trouble or None)
        self.troubled = trouble

    def _seen(self, now: float) -> dict[str, Seen]:
        pool = self.pool
        ctx = Context(pool.settings, pool.plan_in_flight, broke=pool.budget.broke(None, now))
        return {a: _look(state, now, ctx) for a, state in self.pool.states.items()}

    def _compare(self, before: dict[str, Seen], now: dict[str, Seen]) -> None:
        for account_id in before.keys() - now.keys():
            self.events.tell("account_removed", account_id, before[account_id].name)
        for account_id, one in now.items():
            old = before.get(account_id)
            if old is None:
                self.events.tell("account_added", account_id, one.name)
            elif old != one:
                self._changed(account_id, old, one)

    def _changed(self, account_id: str, old: Seen, new: Seen) -> None:
        tell = self.events.tell
        if new.dead and not old.dead:
            tell("login_dead", account_id, new.name, reason=new.dead)
        elif (old.dead and not new.dead) or new.logins > old.logins:
            tell("login_renewed", account_id, new.name)
        if (old.state, old.reason) != (new.state, new.reason):
            told = {"before": old.state, "now": new.state, "reason": new.reason or None}
            tell("account_state", account_id, new.name, **told, until=new.until)

    def _look_at_pauses(self) -> None:
        pauses = {scope: pause.until for scope, pause in self.pool.throttle.pauses.items()}
        for scope in pauses.keys() - self.pauses.keys():
            self._tell("throttle_began", upstream=scope, until=pauses[scope])
        for scope in self.pauses.keys() - pauses.keys():
            self._tell("throttle_ended", upstream=scope)
        self.pauses = pauses

    def _look_at_config(self) -> None:
        reloads, error = self.reloader.reloads, self.reloader.error
        if error is not None and error != self.config[1]:
            self._tell("config_refused", error=error)
        elif reloads > self.config[0]:
            self._tell("config_loaded")
        self.config = (reloads, error)

    def _tell(self, kind: Kind, **detail: object) -> None:
        self.events.tell(kind, **{k: v for k, v in detail.items() if v is not None})  # type: ignore[arg-type]


def _look(state: AccountState, now: float, ctx: Context) -> Seen:
    block = account_state(state, now, ctx) or (ctx.broke if state.account.paid else None)
    name = state_name(state, block, state.slots(ctx.settings))
    blocked = isinstance(block, Unavailable) and name not in SERVES
    return Seen(
        state.account.name,
        "ready" if name in SERVES else name,
        block.reason.value if blocked and block is not None else "",
        block.until if blocked and block is not None else None,
        state.credential.dead,
        state.credential.generation,
    )
