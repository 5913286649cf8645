"""What a person can ask of the pool while it runs, one branch a command.

Returns the ids of the accounts that changed, or None when the command names nothing that exists, or
would open an account whose credential is dead or unconfirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.eligibility import Reason
from maxpool.core.health import HealthEvent, HealthState

if TYPE_CHECKING:
    from maxpool.core.lease import Command, CredentialChange
    from maxpool.core.pool import Pool
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState


def carry_out(pool: Pool, command: Command) -> list[str] | None:
    """Carry a command out."""
    match command.action:
        case "automatic":
            pool.selector.preferred = None
            return []
        case "pause" | "resume":
            pool.paused = command.action == "pause"
            return []
        case "move_session":
            return _move(pool, command)
        case "prefer" | "enable" | "disable" | "drain" | "reset":
            return _account(pool, command)


def _move(pool: Pool, command: Command) -> list[str] | None:
    account_id, session = command.account_id, command.session
    if account_id not in pool.states or session is None or account_id is None:
        return None
    return [account_id] if pool.bindings.rehome(session, account_id) else None


def _account(pool: Pool, command: Command) -> list[str] | None:
    state = pool.states.get(command.account_id or "")
    if state is None:
        return None
    match command.action:
        case "prefer":
            pool.selector.preferred = state.account.id
        case "enable":
            state.enabled, state.draining = True, False
        case "disable":
            state.enabled = False
            if pool.selector.preferred == state.account.id:
                pool.selector.preferred = None
        case "drain":
            state.draining = True
        case _:
            # A late answer may have closed a locked account: its credential says the last word.
            if state.credential.dead or state.health.state is HealthState.LOCKED_OUT:
                return None
            state.clear(pool.settings)
            state.health.revive(HealthEvent.RESET)
    return [state.account.id]


def reconfigure(pool: Pool, settings: PoolSettings, now: float) -> None:
    """Go by new settings from now on; what is known of accounts and sessions stays."""
    pool.settings = settings
    for part in (
        pool.bindings,
        pool.prices,
        pool.prefixes,
        pool.throttle,
        pool.effects,
        pool.owners,
    ):
        part.settings = settings
    pool.budget.configure(settings)
    pool.index.configure(settings)
    pool.decisions.limit = settings.kept_decisions
    pool.queue.configure(settings)
    for state in pool.states.values():
        for window in state.quota.windows.values():
            base = window.name.partition(":")[0]
            window.length_s = settings.window_lengths.get(base, window.length_s)
        pool.budget.bind(state)
        pool.index.renew(state.account.id, now)
    pool.revision += 1


def credential(state: AccountState, change: CredentialChange, now: float) -> None:
    """Note what happened to an account's credential."""
    kept = state.credential
    for name in ("expires_at", "granted_at", "grant_expires_at"):
        if (told := getattr(change, name)) is not None:
            setattr(kept, name, told)
    match change.kind:
        case "expires":
            pass
        case "refreshed":
            kept.refreshed_at = now
            _unstall(state)
        case "stalled":
            kept.retry_at = change.until
            if kept.expires_at is not None and kept.expires_at <= now:
                state.cool(Reason.NETWORK, change.until)
        case "ending":
            kept.ending = change.reason or "it is not refreshed any more"
        case "dead":
            kept.dead = change.reason or "dead"
            state.health.end(HealthEvent.LOGIN_DIED, kept.dead)
        case "logged_in":
            kept.dead = kept.ending = ""
            kept.generation += 1
            state.probing.barred, state.probing.refusals = "", 0
            _unstall(state)
            state.health.revive(HealthEvent.LOGGED_IN)


def _unstall(state: AccountState) -> None:
    """A token that works again ends the pause of a refresh that failed, and no other one."""
    if state.credential.retry_at:
        state.credential.retry_at = 0.0
        state.uncool(Reason.NETWORK)
