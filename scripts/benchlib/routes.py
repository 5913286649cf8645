"""How long it takes from a model's name to an account: look-up of a name and choice of its target, with a
thousand providers of a hundred models each."""

import gc
import statistics
import time

PROVIDERS, MODELS = 1_000, 100
STRATEGIES = ("cost", "ordered", "round-robin", "weighted", "least-used", "sticky", "fastest")


def run(seconds_each):
    from maxpool import Account, Pool, PoolSettings
    from maxpool.core.targets import Alias, Names, Routes

    now = 1_800_000_000.0
    shared = {f"m{n}": f"upstream-{n}" for n in range(MODELS)}
    accounts = [
        Account(f"p{n}", f"p{n}", "provider", provider=f"p{n}", models=shared, tiers={"fast": "m1"})
        for n in range(PROVIDERS)
    ]
    every = tuple(f"p{n}/m{n % MODELS}" for n in range(PROVIDERS))
    aliases = [Alias(name=f"all-{s}", targets=every, strategy=s) for s in STRATEGIES]
    aliases += [
        Alias(name="few", targets=every[:5], fallback_targets=every[5:10]),
        Alias(name="quick", tier="fast"),
        *(Alias(name=f"x{n}-*", targets=(f"m{n}",)) for n in range(MODELS)),
    ]
    pool = Pool(accounts, PoolSettings(key_price="always"), now)
    routes = Routes(Names(aliases=tuple(aliases)), accounts, pool.routing.sets)
    names = {
        "an alias of 5 and 5 targets": "few",
        "a pattern, 1,000 providers serve it": "x42-large",
        "a model by its own name": "m7",
        "PROVIDER/MODEL": "p512/m7",
        "a tier, 1,000 targets": "quick",
    } | {f"1,000 targets, {s}": f"all-{s}" for s in STRATEGIES}
    return {told: _times(pool, routes, name, now, seconds_each) for told, name in names.items()}


def _times(pool, routes, name, now, seconds):
    from maxpool import Lease, LeaseRequest, Success, TokenUsage

    done, times = Success(TokenUsage(input=100, output=200)), []
    gc.collect()
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end or number < 40:
        number, now = number + 1, now + 0.05
        session = f"s{number % 200}"
        start = time.perf_counter_ns()
        route = routes.resolve(name)
        asked = LeaseRequest(name, session=session, input_tokens=20_000, route=route)
        lease = pool.acquire(asked, now)
        times.append(time.perf_counter_ns() - start)
        if not isinstance(lease, Lease):
            raise SystemExit(f"the pool gave no lease for {name}: {lease}")
        pool.release(lease, done, now + 0.01)
    ordered = sorted(times[20:])
    return {
        "p50_us": statistics.median(ordered) / 1000,
        "p99_us": ordered[int(len(ordered) * 0.99)] / 1000,
        "choices": len(ordered),
    }
