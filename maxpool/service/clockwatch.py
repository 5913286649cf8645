"""Time for decisions: it runs evenly, and follows the wall clock by a rule when that is set.

Between two looks at the wall clock every decision goes by elapsed time, so none of them ever sees a
step before those who must know of it. A small difference (NTP) is followed slowly; a large one is a
step: it is taken over at once, everybody who keeps deadlines is told its size, and so are people.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from maxpool.ports import Clock

log = logging.getLogger("maxpool.clock")

STEP_S = 5.0
"""A larger difference between wall and elapsed time is a step: no crystal drifts so far in a second."""

SLEW = 0.1
"""How fast a smaller one is followed, in seconds per second: time never goes backwards then."""

LOOK_EVERY_S = 1.0
ASLEEP_S = 30.0
"""Between two looks so much later the machine slept (or stood still)."""

TOLD_S = 86_400.0
"""How long a step is mentioned on the status page."""

KEPT_STEPS = 20


class SteadyClock:
    """`ports.Clock`: wall time that runs evenly; `follow` moves it.

    `elapsed()`: seconds since some moment, by the clock underneath without a call of ours around it.
    """

    __slots__ = ("_offset_s", "_sleep", "_wall", "elapsed")

    def __init__(self, clock: Clock) -> None:
        self.elapsed, self._wall, self._sleep = clock.elapsed, clock.now, clock.sleep
        self._offset_s = self._wall() - self.elapsed()

    def now(self) -> float:
        """Epoch seconds, UTC."""
        return self.elapsed() + self._offset_s

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Return after `seconds`."""
        return self._sleep(seconds)

    @property
    def behind_s(self) -> float:
        """How far the wall clock is ahead of this one."""
        return self._wall() - self.now()

    def follow(self, by_s: float) -> None:
        """Move by so much."""
        self._offset_s += by_s


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock was set: `at` is the new time, `by_s` how much it went forward."""

    at: float
    by_s: float


@dataclass(slots=True)
class ClockWatch:
    """Keeps a `SteadyClock` at the wall clock.

    `on_step(by_s, now)` hears of steps, `on_waking()` of the machine's sleep as well.
    """

    clock: SteadyClock
    on_step: list[Callable[[float, float], None]] = field(default_factory=list)
    on_waking: list[Callable[[], None]] = field(default_factory=list)
    steps: deque[Step] = field(default_factory=lambda: deque(maxlen=KEPT_STEPS))
    count: int = 0
    looked_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.looked_at = self.clock.elapsed()

    async def run(self) -> None:
        """Look until cancelled. Timers that go by the wall clock cannot ring for this."""
        while True:
            await self.clock.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Compare the clocks once."""
        elapsed, behind_s = self.clock.elapsed(), self.clock.behind_s
        passed_s, self.looked_at = elapsed - self.looked_at, elapsed
        if passed_s >= ASLEEP_S:
            log.info("the machine slept, or stood still, for %.0f s", passed_s)
        if abs(behind_s) > STEP_S:
            self._stepped(behind_s)
        else:
            most_s = SLEW * passed_s
            self.clock.follow(min(max(behind_s, -most_s), most_s))
        if passed_s >= ASLEEP_S or abs(behind_s) > STEP_S:
            for hear in self.on_waking:
                hear()

    def _stepped(self, by_s: float) -> None:
        self.clock.follow(by_s)
        step = Step(self.clock.now(), by_s)
        self.count += 1
        self.steps.append(step)
        log.warning("%s; pauses of our own last as long as before", in_words(step))
        for hear in self.on_step:
            hear(by_s, step.at)

    def notices(self) -> tuple[str, ...]:
        """What the status page says of the last step."""
        if not self.steps or not 0 <= self.clock.now() - self.steps[-1].at < TOLD_S:
            return ()
        told = in_words(self.steps[-1]).capitalize()
        kept = "pauses of its own kept their length, resets that were told kept their time"
        return (f"{told} while maxpool ran: {kept}.",)

    def report(self) -> dict[str, Any]:
        """Numbers for the status page."""
        last = self.steps[-1] if self.steps else None
        return {
            "steps": self.count,
            "last_step_at": last.at if last is not None else None,
            "last_step_s": round(last.by_s, 3) if last is not None else None,
        }


def in_words(step: Step) -> str:
    """Size and direction of a step, for people."""
    hours, rest = divmod(round(abs(step.by_s)), 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (seconds, "s")) if n]
    way = "forward" if step.by_s > 0 else "back"
    return f"the clock was set {way} by {' '.join(parts[:2])}"
