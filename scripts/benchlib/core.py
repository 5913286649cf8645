"""How long one decision takes: `Pool.acquire` and `release`, with many accounts."""

import statistics
import time

SIZES = (3, 100, 1_000, 10_000)


def run(seconds_each):
    from maxpool import Account, Lease, LeaseRequest, Pool, Success, TokenUsage

    results = {}
    now = time.time()
    for size in SIZES:
        accounts = [
            Account(f"a{n}", f"account {n}", kind="subscription", plan="max_20x")
            for n in range(size)
        ]
        pool = Pool(accounts, now=now)
        requests = [
            LeaseRequest("claude-sonnet-4-5", session=f"s{n}", input_tokens=20_000)
            for n in range(200)
        ]
        done = Success(TokenUsage(input=100, output=200, cache_read=20_000))
        for bound in (True, False):
            times, number, at = [], 0, now
            end = time.monotonic() + seconds_each
            while time.monotonic() < end and len(times) < 20_000:
                asked = requests[number % 200] if bound else LeaseRequest("claude-sonnet-4-5")
                number, at = number + 1, at + 0.05
                start = time.perf_counter_ns()
                lease = pool.acquire(asked, at)
                if not isinstance(lease, Lease):
                    raise SystemExit(f"the pool gave no lease at {size} accounts: {lease}")
                pool.release(lease, done, at + 0.01)
                times.append(time.perf_counter_ns() - start)
            key = f"{size} accounts, {'200 sessions' if bound else 'no session'}"
            results[key] = {
                "p50_us": statistics.median(times) / 1000,
                "p99_us": sorted(times)[int(len(times) * 0.99)] / 1000,
                "pairs": len(times),
            }
    return results
