"""How long one decision takes, `Pool.acquire` and `release`, with many accounts and sessions; and how
fast whole days are simulated on the same pool."""

import gc
import statistics
import time

SIZES = (3, 100, 1_000, 10_000)
BOUND, BOUND_QUICK = 100_000, 10_000
"""Sessions bound beforehand in the largest pool."""
MOST_PAIRS = 20_000


def run(seconds_each, bound=BOUND):
    results = {}
    for size in SIZES:
        driven = fresh(size, max_bindings=bound)
        for sessions in (0, 200):
            name = f"{size:,} accounts, {'200 sessions' if sessions else 'no session'}"
            results[name] = pairs(driven, sessions, seconds_each)
    for n in range(bound):
        driven.turn(f"s{n}")
    name = f"{SIZES[-1]:,} accounts, {bound:,} sessions"
    results[name] = pairs(driven, bound, seconds_each)
    return results


class fresh:  # noqa: N801 - reads as a word where it is used
    """A pool of accounts whose weeks all differ, and what drives it."""

    def __init__(self, size, **settings):
        from maxpool import Account, Pool, PoolSettings

        self.now = 1_800_000_000.0
        plans = ("max_20x", "max_5x", "pro")
        accounts = [
            Account(f"a{n}", f"account {n}", kind="subscription", plan=plans[n % 3])
            for n in range(size)
        ]
        self.pool = Pool(accounts, PoolSettings(**settings), self.now)
        prefix = "anthropic-ratelimit-unified-"
        for n in range(size):
            headers = {
                f"{prefix}status": "allowed",
                f"{prefix}5h-utilization": f"{n * 7 % 80 / 100}",
                f"{prefix}5h-reset": str(int(self.now + 3600 * (1 + n % 4))),
                f"{prefix}7d-utilization": f"{n * 13 % 90 / 100}",
                f"{prefix}7d-reset": str(int(self.now + 3600 * (1 + n * 11 % 160))),
            }
            self.pool.observe(f"a{n}", headers, self.now)

    def turn(self, session):
        """One request of a session, answered at once; nanoseconds of the pool's own time."""
        from maxpool import Lease, LeaseRequest, Success, TokenUsage

        request = LeaseRequest("claude-sonnet-4-5", session=session, input_tokens=20_000)
        done = Success(TokenUsage(input=100, output=200, cache_read=20_000))
        self.now += 0.05
        start = time.perf_counter_ns()
        lease = self.pool.acquire(request, self.now)
        if not isinstance(lease, Lease):
            raise SystemExit(f"the pool gave no lease: {lease}")
        self.pool.release(lease, done, self.now + 0.01)
        return time.perf_counter_ns() - start


def pairs(driven, sessions, seconds):
    """Medians of so many seconds of turns, of these sessions in turn or of none."""
    gc.collect()
    for n in range(200):
        driven.turn(f"s{n}" if sessions else None)
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end and len(times) < MOST_PAIRS:
        number = len(times) * 7919 % sessions if sessions else 0
        times.append(driven.turn(f"s{number}" if sessions else None))
    ordered = sorted(times)
    return {
        "p50_us": statistics.median(times) / 1000,
        "p99_us": ordered[int(len(ordered) * 0.99)] / 1000,
        "pairs": len(times),
    }


def simulated(weeks):
    """Turns per second of simulated workloads."""
    from maxpool import PoolSettings
    from maxpool.sim.run import simulate
    from maxpool.sim.workload import scenario

    results = {}
    for family in ("moderate", "overload", "many"):
        played = scenario(family, 1, weeks)
        start = time.perf_counter()
        result = simulate(played, PoolSettings(), samples=False)
        results[family] = {
            "turns": result.turns,
            "per_s": result.turns / (time.perf_counter() - start),
        }
    return results
