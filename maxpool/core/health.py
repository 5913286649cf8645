"""The account automaton: everything that decides whether an account works at all lives here.

`TRANSITIONS` is the only place where a state follows another; an event that a state's row does not
name leaves the state as it is. Quota, cooldowns and the owner's switches are not health.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.settings import PoolSettings


class HealthState(Enum):
    """What an account's own answers say about it."""

    READY = "ready"
    OPEN = "open"  # the breaker is open: failures in a row, cooling until a deadline
    TRIAL = "trial"  # one request is out to see whether it works again
    LOCKED_OUT = "locked_out"  # the login is dead until somebody logs in
    CLOSED = "closed"  # the organisation is disabled


class HealthEvent(Enum):
    """What can happen to it."""

    ANSWERED = "answered"
    TRIPPED = "tripped"
    TRIAL_TAKEN = "trial_taken"
    TRIAL_LOST = "trial_lost"
    LOGIN_DIED = "login_died"
    ORGANISATION_CLOSED = "organisation_closed"
    LOGGED_IN = "logged_in"
    RESET = "reset"


_S, _E = HealthState, HealthEvent

TRANSITIONS: Mapping[HealthState, Mapping[HealthEvent, HealthState]] = {
    _S.READY: {
        _E.TRIPPED: _S.OPEN,
        _E.LOGIN_DIED: _S.LOCKED_OUT,
        _E.ORGANISATION_CLOSED: _S.CLOSED,
    },
    _S.OPEN: {  # a late answer of an older request closes nothing
        _E.TRIAL_TAKEN: _S.TRIAL,
        _E.LOGIN_DIED: _S.LOCKED_OUT,
        _E.ORGANISATION_CLOSED: _S.CLOSED,
        _E.LOGGED_IN: _S.READY,
        _E.RESET: _S.READY,
    },
    _S.TRIAL: {
        _E.ANSWERED: _S.READY,
        _E.TRIPPED: _S.OPEN,
        _E.TRIAL_LOST: _S.OPEN,
        _E.LOGIN_DIED: _S.LOCKED_OUT,
        _E.ORGANISATION_CLOSED: _S.CLOSED,
        _E.LOGGED_IN: _S.READY,
        _E.RESET: _S.READY,
    },
    _S.LOCKED_OUT: {  # only a login, or its owner's word for the new origin, leads out
        _E.ORGANISATION_CLOSED: _S.CLOSED,
        _E.LOGGED_IN: _S.READY,
    },
    _S.CLOSED: {
        _E.LOGGED_IN: _S.READY,
        _E.RESET: _S.READY,
    },
}


@dataclass(slots=True)
class Health:
    """State plus the breaker's numbers: failures in a row, trips in a row, deadline, trial lease."""

    state: HealthState = HealthState.READY
    failures: int = 0
    trips: int = 0
    open_until: float = 0.0
    trial: str | None = None
    reason: str = ""

    def on(self, event: HealthEvent) -> None:
        """Follow the table."""
        self.state = TRANSITIONS[self.state].get(event, self.state)

    def answered(self, lease_id: str) -> None:
        """A lease ended with an answer; in a trial only the trial's own answer counts."""
        if self.state is HealthState.READY:
            self.failures = self.trips = 0
        elif self.state is HealthState.TRIAL and lease_id == self.trial:
            self.on(HealthEvent.ANSWERED)
            self.failures = self.trips = 0
            self.trial = None

    def begun(self, lease_id: str, settings: PoolSettings) -> bool:
        """Good headers came: a trial has told what it was to tell, however long its answer lasts."""
        tried = self.state is HealthState.TRIAL and lease_id == self.trial
        if tried:
            # Not forgiven yet: the next failure trips again, for longer.
            self.on(HealthEvent.ANSWERED)
            self.failures, self.trial = settings.breaker_threshold - 1, None
        return tried

    def failed(
        self, lease_id: str, now: float, settings: PoolSettings, most_s: float | None = None
    ) -> None:
        """A lease ended with a failure of the account's; `most_s`: its breaker's longest pause."""
        longest_s = settings.breaker_max_s if most_s is None else most_s
        if self.state is HealthState.TRIAL:
            if lease_id == self.trial:
                self._trip(now, settings, longest_s)
        elif self.state is HealthState.READY:
            self.failures += 1
            if self.failures >= settings.breaker_threshold:
                self._trip(now, settings, longest_s)

    def _trip(self, now: float, settings: PoolSettings, longest_s: float) -> None:
        # The first trip lasts the initial cooldown, each further one twice the one before.
        cooldown = min(settings.breaker_initial_s * 2**self.trips, longest_s)
        self.trips = min(self.trips + 1, 32)
        self.trial = None
        self.open_until = max(self.open_until, now + cooldown)
        self.on(HealthEvent.TRIPPED)

    def take_trial(self, lease_id: str) -> bool:
        """The breaker's pause is over: this lease is the one probe; False when there was none."""
        if self.state is not HealthState.OPEN:
            return False
        self.on(HealthEvent.TRIAL_TAKEN)
        self.trial = lease_id
        return True

    def lose_trial(self, lease_id: str) -> None:
        """The probe never told anything: hand it on to the next request."""
        if self.state is HealthState.TRIAL and lease_id == self.trial:
            self.on(HealthEvent.TRIAL_LOST)
            self.trial = None

    def end(self, event: HealthEvent, reason: str) -> None:
        """The login died or the organisation is closed."""
        before = self.state
        self.on(event)
        if self.state is not before:
            self.reason = reason
        self.trial = None

    def revive(self, event: HealthEvent) -> None:
        """A login or a person's reset: start afresh."""
        self.on(event)
        self.failures = self.trips = 0
        self.open_until = 0.0
        self.trial = None
        self.reason = ""


def draw() -> str:
    """The automaton as a text table, for the README."""
    rows = [
        f"{state.value:<11} --{event.value}--> {after.value}"
        for state, events in TRANSITIONS.items()
        for event, after in events.items()
    ]
    return "\n".join(rows)
