"""What a running proxy knows of time, usage and warmth: the watched clock, the probes and the checks.

Composition only; the rules are in `service/clockwatch`, `service/probes` and the core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.app.catalogues import CATALOGUE_TICK_S, catalogues_of, sources_of
from maxpool.app.warming import WARM_TICK_S, adjust, warmer_of
from maxpool.config import derive
from maxpool.service.clockwatch import ClockWatch, SteadyClock
from maxpool.service.probes import Prober, UsageUrl
from maxpool.service.quotaprobes import QuotaPage, QuotaProber

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool
    from maxpool.config.model import Config
    from maxpool.ports import Clock
    from maxpool.service.catalogues import Catalogues
    from maxpool.service.warming import Warmer

PROBE_TICK_S = 5.0
"""How often it is looked whether a probe is due; they are minutes apart."""


@dataclass(slots=True)
class Probing:
    """The clock that everything of a proxy goes by, and its prober once `connect` was called."""

    watch: ClockWatch
    prober: Prober = field(init=False)
    quotas: QuotaProber = field(init=False)
    warmer: Warmer = field(init=False)
    catalogues: Catalogues = field(init=False)
    config: Config = field(init=False)

    @classmethod
    def by(cls, clock: Clock) -> Probing:
        """The same clock, made steady."""
        return cls(ClockWatch(SteadyClock(clock)))

    @property
    def clock(self) -> SteadyClock:
        """The clock to decide by."""
        return self.watch.clock

    def connect(self, built: Maxpool) -> None:
        """Make the prober, and tell everybody who keeps deadlines of steps of the clock."""
        self.prober = Prober(
            pool=built.pool,
            upstream=built.upstream,
            tokens=built.tokens,
            waiting=built.waiting,
            clock=self.clock,
            destinations=built.destinations,
        )
        self.quotas = QuotaProber(
            pool=built.pool,
            upstream=built.upstream,
            tokens=built.tokens,
            waiting=built.waiting,
            clock=self.clock,
            destinations=built.destinations,
        )
        self.warmer, self.config = warmer_of(built), built.config
        self.catalogues = catalogues_of(built)
        self.follow(built.config)
        built.operator.probe = self.prober.probe
        for part in (built.pool, built.revival, built.logins, self.warmer):
            self.watch.on_step.append(part.clock_stepped)
        self.watch.on_waking += [built.timers.realign, built.waiting.wake]

    def start(self, built: Maxpool) -> None:
        """Begin, with the server."""
        built.tasks.spawn(self.watch.run(), "clock watch", finish=False)
        built.timers.every(PROBE_TICK_S, "probe", self.prober.tick)
        built.timers.every(PROBE_TICK_S, "quota", self.quotas.tick)
        built.timers.every(WARM_TICK_S, "warmth", self.warmer.tick)
        built.timers.every(CATALOGUE_TICK_S, "catalogues", self.catalogues.tick)
        built.tasks.spawn(self.catalogues.tick(), "catalogues", finish=False)

    def follow(self, config: Config) -> None:
        """Go by this config from now on."""
        self.prober.targets = usage_urls(config)
        self.prober.timeout_s = config.probes.timeout_s
        self.quotas.follow(quota_pages(config), config.probes.timeout_s)
        adjust(self.warmer, config, self.config)
        self.catalogues.follow(sources_of(config))
        self.config = config

    def jobs(self) -> dict[str, Any]:
        """Numbers for the status page."""
        return {
            "clock": self.watch.report(),
            "probes": self.prober.report(),
            "quotas": self.quotas.report(),
            "warmth": self.warmer.report(),
            "catalogues": self.catalogues.report(),
        }

    def notices(self) -> tuple[str, ...]:
        """What people should know."""
        return self.watch.notices()


def usage_urls(config: Config) -> dict[str, UsageUrl]:
    """Where the usage of each account is asked for, by account id; only those that can be asked."""
    found: dict[str, UsageUrl] = {}
    for entry in config.accounts:
        url = derive.usage_url(config, entry)
        if url is not None:
            shape = config.oauth[entry.oauth or ""].usage_shape
            found[entry.stable_id] = UsageUrl(url=url, shape=shape)
    return found


def quota_pages(config: Config) -> dict[str, QuotaPage]:
    """Where each account's provider tells its quota, by account id."""
    return {
        entry.stable_id: QuotaPage(
            url=entry.quota_url,
            quota_map=dict(entry.quota_map),
            method=entry.quota_method,
            every_s=entry.quota_every_s,
            gates=entry.quota_enforce == "gate",
        )
        for entry in config.accounts
        if entry.quota_url is not None and config.probes.enabled
    }
