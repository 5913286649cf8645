"""The invented accounts at work: who a credential belongs to, whether a request may pass, what it costs.

Owns all that is hidden from clients: quotas, buckets, prompt caches, requests in flight. `Truth` is
the picture of it for tests and the demo.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from maxpool.core.lease import TokenUsage
from maxpool.core.settings import PoolSettings
from maxpool.sim.buckets import KeyLimits
from maxpool.sim.plans import SimAccount, SimSettings, traits_of
from maxpool.sim.problems import Problem, burst, model_missing, quota_wall, rate_wall
from maxpool.sim.promptcache import PromptCache
from maxpool.sim.quota import HiddenQuota, Tariff, WindowTruth
from maxpool.sim.ratelimits import generic, standard, unified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maxpool.sim.problems import HeaderList
    from maxpool.sim.prompts import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is really so about one account; utilization is a share and may exceed 1.

    `tokens_burned` is price-weighted. `served` counts admitted requests, `limited` 429s of its own
    quota, rate or concurrency, `cancelled` answers whose client left. Resets in epoch seconds, None
    while no window is open. Quota, caches and tokens are those of the account's organisation.
    """

    utilization_5h: float
    utilization_7d: float
    utilization_family: float | None
    reset_5h_at: float | None
    reset_7d_at: float | None
    capacity_5h: float
    capacity_7d: float
    tokens_burned: float
    cache_entries: int
    usage: TokenUsage
    served: int
    limited: int
    in_flight: int
    peak_in_flight: int
    cancelled: int


@dataclass(slots=True)
class Organization:
    """What accounts of one organisation share."""

    quota: HiddenQuota
    limits: KeyLimits
    cache: PromptCache


@dataclass(slots=True)
class SimState:
    """One account at work."""

    account: SimAccount
    organization: Organization
    settings: SimSettings
    tariff: Tariff
    usage: TokenUsage = field(default_factory=TokenUsage)
    in_flight: int = 0
    peak_in_flight: int = 0
    served: int = 0
    limited: int = 0
    cancelled: int = 0
    usage_asked_at: float | None = None

    def offers(self, model: str) -> bool:
        """Whether the account may use that model."""
        return any(fnmatchcase(model, pattern) for pattern in self.account.models)

    def admit(self, prompt: Prompt, output_tokens: int, now: float) -> TokenUsage | Problem:
        """Let a request in and charge it, or say which wall it meets.

        An admitted request must be ended with `leave`. The problem carries its rate headers.
        """
        if not self.offers(prompt.model):
            return model_missing(prompt.model).with_headers(self.headers(prompt.model, now))
        limit = self.account.concurrency or traits_of(self.account.plan).concurrency
        if limit is not None and self.in_flight >= limit:
            self.limited += 1
            return burst(self.settings.burst_retry_after_s)
        use = self.organization.cache.match(prompt.variant, prompt.pieces, now)
        usage = use.usage(output_tokens)
        problem = self._wall(prompt.model, usage, now)
        if problem is not None:
            self.limited += 1
            return problem
        self.organization.cache.keep(use, now)
        self._charge(prompt.model, usage, now)
        return usage

    def leave(self, *, gone: bool) -> None:
        """An admitted request has ended; `gone` when its client left before."""
        self.in_flight -= 1
        self.cancelled += gone

    def headers(self, model: str, now: float, *, rejected: bool = False) -> HeaderList:
        """The rate-limit headers of an answer of this kind of account."""
        if self.account.of_plan:
            windows = self.organization.quota.windows(now, model)
            return unified(windows, rejected=rejected, warn_at=self.settings.warn_at)
        write = generic if self.account.plan == "provider" else standard
        return write(self.organization.limits, now)

    def feigned_wall(
        self, window: str, model: str, resets_in_s: float | None, now: float
    ) -> Problem:
        """A quota wall as if `window` were full until `resets_in_s` from now (None: its own reset)."""
        windows = self.organization.quota.windows(now, model)
        if window == "family":
            window = self.settings.family_window_name
        true = next((w for w in windows if w.name == window), None)
        reset_at = None if true is None else true.reset_at
        if resets_in_s is not None:
            reset_at = now + resets_in_s
        full = WindowTruth(
            name=window,
            claim="seven_day_overage_included" if true is None else true.claim,
            utilization=1.0,
            reset_at=reset_at or now + self.settings.window_5h_s,
        )
        shown = (*(w for w in windows if w.name != window), full)
        assert full.reset_at is not None
        return quota_wall(full.reset_at - now).with_headers(
            unified(shown, rejected=True, warn_at=self.settings.warn_at)
        )

    def truth(self, now: float) -> Truth:
        """A picture of now."""
        quota = self.organization.quota
        five, seven = quota.windows(now)[:2]
        family = self.settings.family_window
        bucket = quota.windows(now, family)[2:] if family else ()
        return Truth(
            utilization_5h=five.utilization,
            utilization_7d=seven.utilization,
            utilization_family=bucket[0].utilization if bucket else None,
            reset_5h_at=five.reset_at,
            reset_7d_at=seven.reset_at,
            capacity_5h=quota.capacity_5h,
            capacity_7d=quota.capacity_7d,
            tokens_burned=quota.burned,
            cache_entries=self.organization.cache.live(now),
            usage=self.usage,
            served=self.served,
            limited=self.limited,
            in_flight=self.in_flight,
            peak_in_flight=self.peak_in_flight,
            cancelled=self.cancelled,
        )

    def _wall(self, model: str, usage: TokenUsage, now: float) -> Problem | None:
        if self.account.of_plan:
            wall = self.organization.quota.wall(now, model)
            if wall is None:
                return None
            return quota_wall((wall.reset_at or now) - now).with_headers(
                self.headers(model, now, rejected=True)
            )
        empty = self.organization.limits.wall(now, usage)
        if empty is None:
            return None
        bucket, wait_s = empty
        write = generic if self.account.plan == "provider" else standard
        return rate_wall(bucket.name, bucket.limit, wait_s).with_headers(
            write(self.organization.limits, now, bucket.name)
        )

    def _charge(self, model: str, usage: TokenUsage, now: float) -> None:
        self.organization.quota.charge(now, model, self.tariff.weight(model, usage))
        if not self.account.of_plan:
            self.organization.limits.take(now, usage)
        self.usage = TokenUsage(
            self.usage.input + usage.input,
            self.usage.output + usage.output,
            self.usage.cache_read + usage.cache_read,
            self.usage.cache_write_5m + usage.cache_write_5m,
            self.usage.cache_write_1h + usage.cache_write_1h,
        )
        self.served += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)


class AccountBook:
    """All accounts, by name and by secret."""

    def __init__(
        self, accounts: Iterable[SimAccount], settings: SimSettings, now: float, seed: int
    ) -> None:
        organizations: dict[str, Organization] = {}
        tariff = Tariff(PoolSettings())
        self._by_name: dict[str, SimState] = {}
        self._by_secret: dict[str, SimState] = {}
        for account in accounts:
            if account.name in self._by_name:
                raise ValueError(f"two simulated accounts are named {account.name!r}")
            shared = organizations.get(account.organization_id)
            if shared is None:
                shared = Organization(
                    HiddenQuota.of(account, settings, now, seed),
                    KeyLimits.of(account, settings, now),
                    PromptCache(settings),
                )
                organizations[account.organization_id] = shared
            state = SimState(account, shared, settings, tariff)
            self._by_name[account.name] = state
            self._by_secret[account.secret] = state

    def __iter__(self) -> Iterator[SimState]:
        return iter(self._by_name.values())

    def named(self, name: str) -> SimState:
        """The account of that name; KeyError when there is none."""
        return self._by_name[name]

    def with_secret(self, secret: str) -> SimState | None:
        """The account a static secret belongs to."""
        return self._by_secret.get(secret)
