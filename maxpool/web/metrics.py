"""`GET /metrics`: the pool, its accounts and what requests met, for Prometheus.

Everything is read from what the server knows anyway, at the moment of the scrape; reading changes
nothing. No label holds a session, a client or a key, and accounts go by their names. Ratios are 0..1, times
epoch seconds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from maxpool.service.meters import CLASSES
from maxpool.web import report
from maxpool.web.exposition import MEDIA_TYPE, Exposition, labels
from maxpool.web.metric_tables import ACCOUNT, JOBS, POOL, STATS, TOKENS, WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from starlette.requests import Request

    from maxpool.core.pool import Pool
    from maxpool.core.view import AccountView, PoolView, WindowView
    from maxpool.ports import Clock
    from maxpool.service.meters import Meters
    from maxpool.service.stats import Stats
    from maxpool.web.exposition import Kind
    from maxpool.web.report import ServerFacts


@dataclass(slots=True)
class MetricPages:
    """The metrics of one proxy. `process`: numbers of the process, by their full names."""

    pool: Pool
    stats: Stats
    clock: Clock
    facts: Callable[[], ServerFacts]
    process: Callable[[], Mapping[str, float]]

    async def metrics(self, _request: Request) -> Response:
        """The answer to a scrape."""
        return Response(
            self.text(), headers={"content-type": MEDIA_TYPE, "cache-control": "no-store"}
        )

    def text(self) -> bytes:
        """All metrics now."""
        out, facts = Exposition(), self.facts()
        view = self.pool.view(self.clock.now())
        out.family("maxpool_info", "gauge", "Its version.", [(labels(version=facts.version), 1)])
        of_pool(out, view)
        of_accounts(out, view.accounts)
        health = {i: s.health.state.value for i, s in self.pool.states.items()}
        out.family(
            "maxpool_account_health",
            "gauge",
            "Its breaker: ready, open, trial, locked_out or closed.",
            (
                (labels(account=a.account.name, state=health[a.account.id]), 1)
                for a in view.accounts
            ),
        )
        of_requests(out, self.stats, {a.account.id: a.account.name for a in view.accounts})
        of_jobs(out, facts.jobs)
        for name, value in self.process().items():
            kind: Kind = "counter" if name.endswith("_total") else "gauge"
            out.family(name, kind, "Of this process.", [("", value)])
        return out.encoded()


def of_pool(out: Exposition, view: PoolView) -> None:
    """The pool as a whole."""
    for metric in POOL:
        out.family(f"maxpool_{metric.name}", metric.kind, metric.about, [("", metric.tell(view))])
    states = Counter(a.state for a in view.accounts)
    out.family(
        "maxpool_accounts",
        "gauge",
        "Accounts in each state.",
        ((labels(state=s), n) for s, n in states.items()),
    )
    found = report.summary(view)
    each = [
        (labels(window=name), found["headroom"][name], found["burn"][name])
        for name in report.SUMMARY_WINDOWS
    ]
    out.family(
        "maxpool_headroom_ratio",
        "gauge",
        "Free share of all plans.",
        ((of, free) for of, free, _ in each),
    )
    out.family(
        "maxpool_burn_ratio_per_hour",
        "gauge",
        "Share of all plans used per hour.",
        ((of, burn["per_hour"]) for of, _, burn in each),
    )
    out.family(
        "maxpool_empty_seconds",
        "gauge",
        "When the plans run dry at this pace.",
        ((of, burn["empty_at"]) for of, _, burn in each),
    )


def of_accounts(out: Exposition, accounts: Iterable[AccountView]) -> None:
    """Each account, its windows and its tokens."""
    named = [(labels(account=a.account.name), a) for a in accounts]
    for metric in ACCOUNT:
        out.family(
            f"maxpool_{metric.name}",
            metric.kind,
            metric.about,
            ((of, metric.tell(a)) for of, a in named),
        )
    out.family(
        "maxpool_account_state",
        "gauge",
        "1 for the state it is in.",
        ((f'{of},state="{a.state}"', 1) for of, a in named),
    )
    windows: list[tuple[str, WindowView]] = [
        (f"{of},{labels(window=w.window)}", w) for of, a in named for w in a.windows
    ]
    for metric in WINDOW:
        out.family(
            f"maxpool_{metric.name}",
            metric.kind,
            metric.about,
            ((of, metric.tell(w)) for of, w in windows),
        )
    out.family(
        "maxpool_account_tokens_total",
        "counter",
        "Tokens by kind.",
        ((f'{of},kind="{kind}"', tell(a.total)) for of, a in named for kind, tell in TOKENS),
    )


def of_requests(out: Exposition, stats: Stats, names: Mapping[str, str]) -> None:
    """What callers met."""
    meters = stats.meters
    for metric in STATS:
        out.family(f"maxpool_{metric.name}", metric.kind, metric.about, [("", metric.tell(stats))])
    out.family(
        "maxpool_client_errors_total",
        "counter",
        "Errors that callers got.",
        ((labels(status=str(status)), n) for status, n in sorted(stats.client_errors.items())),
    )
    out.family("maxpool_requests_total", "counter", "Ended requests.", _ended(meters, names))
    out.histogram(
        "maxpool_first_byte_seconds",
        "From arrival to the first byte of the answer.",
        ((labels(family=family), times) for family, times in meters.first_byte_s.items()),
    )
    out.histogram(
        "maxpool_overhead_seconds",
        "What maxpool itself took of a request.",
        [("", meters.overhead_s)],
    )
    out.histogram(
        "maxpool_queue_wait_seconds", "How long those waited that had to.", [("", meters.waited_s)]
    )


def _ended(meters: Meters, names: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    for (account, family, form, status), count in meters.requests.items():
        told = {"account": names.get(account, account), "family": family, "format": form}
        yield labels(**told, status=CLASSES[status]), count


def of_jobs(out: Exposition, jobs: Mapping[str, Any]) -> None:
    """What runs beside requests, where it runs."""
    for part, field, name, kind, about in JOBS:
        value = jobs.get(part, {}).get(field)
        out.family(f"maxpool_{name}", kind, about, [("", value)])
