"""When an alert is told: once as it begins, once as it is over, and again only as often as its owner wants.

What holds comes from `core/alertrules`. Pure: time comes in, messages go out as values. What is told
survives a restart, so that nothing is told twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from maxpool.core.alertrules import AlertRule, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from maxpool.core.alertrules import Key

CALM_S: Final = 60.0
"""How long something must be over before that is told: what comes back at once never went away."""

MAX_SILENCES: Final = 100
MINUTES_OF_DAY: Final = 24 * 60

Told = Literal["firing", "reminder", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTimes:
    """`remind_s`: what still holds is told again so often, 0 = never. `gap_s`: what comes back sooner waits."""

    remind_s: float = 0.0
    gap_s: float = 300.0


@dataclass(slots=True, kw_only=True)
class Alert:
    """Something that a rule saw, from its beginning to the telling of its end."""

    seen: Seen
    since: float
    told_at: float | None = None
    told_level: int = 0
    clear_since: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be told now."""

    told: Told
    rule: AlertRule
    seen: Seen
    since: float
    at: float


class Silence(NamedTuple):
    """Nothing is told of these rules and accounts (patterns of names) until then."""

    rule: str
    account: str
    until: float


@dataclass(slots=True)
class Alerts:
    """Every alert that is not yet over; `rested`: when one that is over was told last."""

    active: dict[Key, Alert] = field(default_factory=dict)
    rested: dict[Key, float] = field(default_factory=dict)
    silences: list[Silence] = field(default_factory=list)
    revision: int = 0

    def step(
        self,
        rules: Sequence[AlertRule],
        found: Iterable[Seen],
        now: float,
        *,
        times: AlertTimes,
        quiet: bool = False,
    ) -> list[Change]:
        """Take what is seen now; returns what is to be told. `quiet`: only of what is urgent."""
        by_name = {rule.name: rule for rule in rules}
        self._forget(by_name, now, times)
        self._see(found, now)
        changes = []
        for key, alert in list(self.active.items()):
            rule = by_name[key[0]]
            if self._silenced(alert, rule, now) or (quiet and not rule.urgent):
                continue
            told = self._due(key, alert, rule, now, times)
            if told is not None:
                changes.append(Change(told, rule, alert.seen, alert.since, now))
        self._drop_what_is_over(now)
        self.revision += bool(changes)
        return changes

    def silence(self, rule: str, account: str, until: float) -> None:
        """Tell nothing of them until then; in the past: tell again."""
        kept = [s for s in self.silences if (s.rule, s.account) != (rule, account)]
        self.silences = [*kept, Silence(rule, account, until)][-MAX_SILENCES:]
        self.revision += 1

    def _forget(self, rules: Mapping[str, AlertRule], now: float, times: AlertTimes) -> None:
        """What a new config no longer asks for, and what time has settled."""
        self.active = {key: alert for key, alert in self.active.items() if key[0] in rules}
        self.rested = {k: at for k, at in self.rested.items() if 0.0 <= now - at < times.gap_s}
        self.silences = [silence for silence in self.silences if silence.until > now]

    def _see(self, found: Iterable[Seen], now: float) -> None:
        there = set()
        for one in found:
            alert = self.active.get(one.key)
            if alert is None and not one.fires:
                continue
            if alert is None:
                self.active[one.key] = Alert(seen=one, since=now)
                self.revision += 1
            else:
                alert.seen, alert.clear_since = one, None
            there.add(one.key)
        for key, alert in self.active.items():
            if key not in there and alert.clear_since is None:
                alert.clear_since = now

    def _due(
        self, key: Key, alert: Alert, rule: AlertRule, now: float, times: AlertTimes
    ) -> Told | None:
        """What is to be told of it now, if anything; it then counts as told."""
        if alert.clear_since is not None:
            if now - alert.clear_since < CALM_S or alert.told_at is None:
                return None
            self.rested[key] = alert.told_at
            alert.told_at = None
            return "resolved"
        if alert.told_at is None:
            soon = key in self.rested or now - alert.since < rule.for_s
            told: Told | None = None if soon else "firing"
        elif alert.seen.level > alert.told_level:
            told = "firing"
        else:
            again = times.remind_s > 0.0 and now - alert.told_at >= times.remind_s
            told = "reminder" if again else None
        if told is not None:
            alert.told_at, alert.told_level = now, alert.seen.level
        return told

    def _silenced(self, alert: Alert, rule: AlertRule, now: float) -> bool:
        name = alert.seen.name
        return any(
            silence.until > now
            and fnmatchcase(rule.name, silence.rule)
            and fnmatchcase(name, silence.account)
            for silence in self.silences
        )

    def _drop_what_is_over(self, now: float) -> None:
        over = [
            key
            for key, alert in self.active.items()
            if alert.clear_since is not None
            and alert.told_at is None
            and now - alert.clear_since >= CALM_S
        ]
        for key in over:
            del self.active[key]
        self.revision += bool(over)

    # -- over restarts ---------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """What was told, as JSON can hold it."""
        return {
            "version": 1,
            "active": [
                [list(key), a.seen.name, a.since, a.told_at, a.told_level]
                for key, a in self.active.items()
            ],
            "rested": [[list(key), at] for key, at in self.rested.items()],
            "silences": [list(silence) for silence in self.silences],
        }

    @classmethod
    def load(cls, data: Mapping[str, Any], now: float) -> Alerts:
        """The same again; raises ValueError for what is no such dump. Dates of the future are now."""
        try:
            if data["version"] != 1:
                raise ValueError("another version")
            alerts = cls(
                rested={_key(key): min(float(at), now) for key, at in data["rested"]},
                silences=[Silence(str(r), str(a), float(u)) for r, a, u in data["silences"]],
            )
            for key, name, since, told_at, level in data["active"]:
                known = _key(key)
                alerts.active[known] = Alert(
                    seen=Seen(known, str(name), True, level=int(level)),
                    since=min(float(since), now),
                    told_at=None if told_at is None else min(float(told_at), now),
                    told_level=int(level),
                )
        except (LookupError, TypeError) as error:
            raise ValueError(f"no dump of alerts ({type(error).__name__})") from error
        return alerts


def _key(parts: Sequence[object]) -> Key:
    rule, account, part = parts
    return str(rule), str(account), str(part)


def in_quiet_hours(hours: tuple[int, int] | None, now: float, utc_offset_s: int) -> bool:
    """Whether the local time lies in [from, to), minutes of the day; over midnight where `to` is earlier."""
    if hours is None:
        return False
    minute = int((now + utc_offset_s) // 60.0) % MINUTES_OF_DAY
    begins, ends = hours
    if begins <= ends:
        return begins <= minute < ends
    return minute >= begins or minute < ends
