"""What each outcome does to an account: the account column of the outcome table, one row a branch.

Called by `Pool.release` alone, while the lease still counts as in flight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maxpool.core import cooldowns
from maxpool.core import lease as outcomes
from maxpool.core.eligibility import Context, Eligible, Reason, check, mismatch
from maxpool.core.health import HealthEvent
from maxpool.core.rejected import ContextExceeded, NotCarried, PolicyRefused
from maxpool.core.throttle import EVERY_MODEL, Sighting, Throttle, scopes
from maxpool.core.window import FAR_FUTURE_S

if TYPE_CHECKING:
    from maxpool.core.account import Account
    from maxpool.core.groups import Groups
    from maxpool.core.lease import LeaseRequest, Outcome
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState

REFUSED = "the upstream refused its credential (401)"
"""Why an account is locked out after a 401; a login that is over for good says so otherwise."""

_ANSWERS = (
    outcomes.Success,
    outcomes.RequestRejected,
    ContextExceeded,
    PolicyRefused,
    outcomes.Cut,
    outcomes.ClientGone,
    outcomes.Internal,
)


@dataclass(slots=True)
class Effects:
    """Applies outcomes to the state of accounts."""

    settings: PoolSettings
    states: dict[str, AccountState]
    throttle: Throttle
    groups: Groups

    def apply(
        self,
        state: AccountState,
        lease_id: str,
        request: LeaseRequest,
        outcome: Outcome,
        now: float,
    ) -> set[str]:
        """Change what the outcome says; returns the ids of all accounts that changed."""
        changed = {state.account.id}
        if not isinstance(outcome, _ANSWERS):
            self.throttle.unanswered(state.account.id, lease_id)
        match outcome:
            case outcomes.Success():
                self._answered(state, lease_id)
                scope = scopes(state.account.provider, request.model)
                self.throttle.answered(state.account.id, scope, lease_id, now)
            case outcomes.RequestRejected() | ContextExceeded() | PolicyRefused() | outcomes.Cut():
                state.health.answered(lease_id)  # it answered: not the account's fault
            case outcomes.Burst() | outcomes.Overloaded():
                changed |= self._capacity(state, request, outcome, now)
            case outcomes.TransientFailure() | outcomes.Garbage():
                self._counted(state, lease_id, now)
            case outcomes.NetworkFailure(sent=sent):
                state.cool(Reason.NETWORK, now + self.settings.network_s)
                if sent and state.account.kind == cooldowns.PROVIDER:
                    self._counted(state, lease_id, now)  # it was there, and did not answer
            case outcomes.ClientGone() | outcomes.Internal() | NotCarried():
                pass
            case (
                outcomes.QuotaExceeded()
                | outcomes.FamilyQuotaExceeded()
                | outcomes.RateLimited()
                | outcomes.SpendLimited()
            ):
                changed |= self._limit(state, outcome, now)
            case _:
                self._fault(state, outcome, request, now)
        state.health.lose_trial(lease_id)  # a probe that told nothing is handed on
        return changed

    def _answered(self, state: AccountState, lease_id: str) -> None:
        state.health.answered(lease_id)
        state.trips.clear()

    def _counted(self, state: AccountState, lease_id: str, now: float) -> None:
        """One failure more; enough of them in a row open the breaker."""
        most_s = cooldowns.breaker_max_s(state.account, self.settings)
        state.health.failed(lease_id, now, self.settings, most_s)

    def _limit(
        self,
        state: AccountState,
        outcome: outcomes.QuotaExceeded
        | outcomes.FamilyQuotaExceeded
        | outcomes.RateLimited
        | outcomes.SpendLimited,
        now: float,
    ) -> set[str]:
        """A limit of the account's organisation: it holds for its whole quota group."""
        s = self.settings
        group = (state, *self.groups.mates(state))
        match outcome:
            case outcomes.QuotaExceeded(window, until, relative):
                for one in group:
                    self.close(one, window, until, now, relative=relative)
            case outcomes.FamilyQuotaExceeded(family, until, relative):
                for one in group:
                    self.close(one, f"7d:{family}", until, now, relative=relative)
            case outcomes.RateLimited(until, relative):
                ends = self._bounded(until, now, cooldowns.quota_s(state.account, s))
                for one in group:
                    one.quota.close_buckets(ends, by_us=relative or ends != until)
            case outcomes.SpendLimited(until):
                bounds = (s.spend_initial_s, s.spend_max_s)
                step = self._growing(state, Reason.SPEND_LIMIT, bounds, now)
                for one in group:
                    one.cool(Reason.SPEND_LIMIT, self._bounded(until, now, step))
        return {one.account.id for one in group}

    def _fault(
        self,
        state: AccountState,
        outcome: outcomes.AuthRejected
        | outcomes.AuthFinal
        | outcomes.Forbidden
        | outcomes.AccountClosed
        | outcomes.BillingFailure
        | outcomes.ModelMissing,
        request: LeaseRequest,
        now: float,
    ) -> None:
        s = self.settings
        match outcome:
            case outcomes.AuthRejected():
                state.health.end(HealthEvent.LOGIN_DIED, REFUSED)
            case outcomes.AuthFinal(reason):
                state.health.end(HealthEvent.LOGIN_DIED, reason or "the upstream ended its login")
            case outcomes.AccountClosed(reason):
                state.health.end(
                    HealthEvent.ORGANISATION_CLOSED, reason or "the upstream disabled it"
                )
            case outcomes.Forbidden():
                bounds = cooldowns.forbidden_s(state.account, s)
                step = self._growing(state, Reason.FORBIDDEN, bounds, now)
                state.cool(Reason.FORBIDDEN, now + step)
            case outcomes.BillingFailure():
                again = state.purse is not None and state.purse.second_try()
                rest_s = s.topup_retry_s if again else cooldowns.billing_s(state.account, s)
                state.cool(Reason.BILLING, now + rest_s)
            case outcomes.ModelMissing():
                until = now + cooldowns.model_s(state.account, s)
                state.bench_model(request.model, Reason.MODEL_MISSING, until, s.max_model_benches)

    def close(
        self,
        state: AccountState,
        name: str,
        until: float | None,
        now: float,
        *,
        relative: bool = False,
    ) -> None:
        """Close one window by verdict; without a usable time until its own reset, else for a minute."""
        window = state.quota.window(name, self.settings)
        if until is None and window.reset_at is not None and window.reset_at > now:
            until = window.reset_at
        ends = self._bounded(until, now, self.settings.quota_without_reset_s)
        window.close(ends, by_us=relative or ends != until)

    def _bounded(self, until: float | None, now: float, default_s: float) -> float:
        if until is None or until <= now:
            return now + default_s
        return min(until, now + FAR_FUTURE_S)

    def _growing(
        self, state: AccountState, reason: Reason, bounds: tuple[float, float], now: float
    ) -> float:
        """First and longest pause -> this one's; requests that ran together fail but once."""
        trips = state.trips.get(reason, 0)
        if trips and state.cooldowns.get(reason, 0.0) > now:
            trips -= 1
        state.trips[reason] = min(trips + 1, 32)
        return min(bounds[0] * 2.0**trips, bounds[1])

    def _capacity(
        self,
        state: AccountState,
        request: LeaseRequest,
        outcome: outcomes.Burst | outcomes.Overloaded,
        now: float,
    ) -> set[str]:
        s = self.settings
        if isinstance(outcome, outcomes.Burst):
            if state.in_flight >= 2:
                state.shrink(now, s)
            asked = outcome.retry_after_s
            park = min(asked if asked is not None else s.provisional_s, s.provisional_max_s)
            state.cool(Reason.PROVISIONAL, now + max(park, s.retry_after_min_s))
            model, retry_after_s = EVERY_MODEL, asked
        else:
            until = now + cooldowns.overloaded_s(state.account, s)
            state.bench_model(request.model, Reason.MODEL_COOLING, until, s.max_model_benches)
            if state.account.kind == cooldowns.PROVIDER:
                return set()  # of that vendor's one model: nobody else waits for it
            model, retry_after_s = request.model, None
        every, one = scopes(state.account.provider, request.model)
        scope = every if model == EVERY_MODEL else one
        fingerprint = f"{scope} {outcome.fingerprint}"[:200]
        sighting = self.throttle.saw(scope, fingerprint, state.account.id, now, retry_after_s)
        seen = sighting.accounts
        if not self._incident(sighting, state.account, request, now):
            return set()
        for account_id in seen:
            self._unpark(account_id, model)
        self.throttle.open(scope, fingerprint, now)
        return set(seen)

    def _incident(
        self, sighting: Sighting, failed: Account, request: LeaseRequest, now: float
    ) -> bool:
        """Seen alike wherever that provider could: nothing untried, nobody answered well since."""
        ctx, seen = Context(self.settings), sighting.accounts
        never_paid = self.settings.key_price == "never" and not failed.paid
        able = 0
        for account_id, state in self.states.items():
            account = state.account
            if not state.enabled or mismatch(account, request) is not None:
                continue
            if account.provider != failed.provider or (account.paid and never_paid):
                continue
            able += 1
            if sighting.answered_since(account_id):
                return False
            if account_id not in seen and isinstance(check(state, request, now, ctx), Eligible):
                return False
        return len(seen) >= 2 or able <= 1

    def _unpark(self, account_id: str, model: str) -> None:
        state = self.states.get(account_id)
        if state is None:
            return
        if model == EVERY_MODEL:
            state.uncool(Reason.PROVISIONAL)
        else:
            bench = state.model_benches.get(model)
            if bench is not None and bench[0] is Reason.MODEL_COOLING:
                del state.model_benches[model]
