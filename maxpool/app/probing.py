"""What a running proxy knows of time and of usage: the watched clock and the probes, put together.

Composition only; the rules are in `service/clockwatch`, `service/probes` and the core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.config import derive
from maxpool.service.clockwatch import ClockWatch, SteadyClock
from maxpool.service.probes import Prober, UsageUrl

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool
    from maxpool.config.model import Config
    from maxpool.ports import Clock

PROBE_TICK_S = 5.0
"""How often it is looked whether a probe is due; they are minutes apart."""


@dataclass(slots=True)
class Probing:
    """The clock that everything of a proxy goes by, and its prober once `connect` was called."""

    watch: ClockWatch
    prober: Prober = field(init=False)

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
        self.follow(built.config)
        built.operator.probe = self.prober.probe
        for part in (built.pool, built.revival, built.logins):
            self.watch.on_step.append(part.clock_stepped)
        self.watch.on_waking += [built.timers.realign, built.waiting.wake]

    def start(self, built: Maxpool) -> None:
        """Begin, with the server."""
        built.tasks.spawn(self.watch.run(), "clock watch", finish=False)
        built.timers.every(PROBE_TICK_S, "probe", self.prober.tick)

    def follow(self, config: Config) -> None:
        """Go by this config from now on."""
        self.prober.targets = usage_urls(config)
        self.prober.timeout_s = config.probes.timeout_s

    def jobs(self) -> dict[str, Any]:
        """Numbers for the status page."""
        return {"clock": self.watch.report(), "probes": self.prober.report()}

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
