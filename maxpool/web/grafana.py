"""The Grafana dashboard over `/metrics`, as JSON to import. Built here, so that it names no metric that is none.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model. It asks which
Prometheus to read when it is imported; it holds no address.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
COLUMNS: Final = 24
HEIGHT: Final = 8


class Panel(NamedTuple):
    """One picture: what it shows, in which unit, by which questions (with the words of their legends)."""

    title: str
    unit: str
    asks: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    width: int = 12


def quantile(histogram: str, share: float, by: str = "le") -> str:
    """The value below which that share of a histogram lies."""
    return (
        f"histogram_quantile({share}, sum by ({by}) (rate({histogram}_bucket[$__rate_interval])))"
    )


PANELS: Final = (
    Panel("Accounts ready", "none", (("sum(maxpool_account_ready)", ""),), "stat", 4),
    Panel("Plans free", "percentunit", (("maxpool_headroom_ratio", "{{window}}"),), "stat", 5),
    Panel("In flight", "none", (("maxpool_requests_in_flight", ""),), "stat", 3),
    Panel("Queue", "none", (("maxpool_queue_length", ""),), "stat", 3),
    Panel(
        "Plans dry at",
        "dateTimeAsIso",
        (("maxpool_empty_seconds * 1000", "{{window}}"),),
        "stat",
        5,
    ),
    Panel("Up since", "dateTimeFromNow", (("maxpool_start_time_seconds * 1000", ""),), "stat", 4),
    Panel(
        "Utilization, 5 hours",
        "percentunit",
        (('maxpool_window_utilization_ratio{window="5h"}', "{{account}}"),),
    ),
    Panel(
        "Utilization, 7 days",
        "percentunit",
        (('maxpool_window_utilization_ratio{window=~"7d.*"}', "{{account}} {{window}}"),),
    ),
    Panel(
        "Burn per hour",
        "percentunit",
        (("maxpool_window_burn_ratio_per_hour", "{{account}} {{window}}"),),
    ),
    Panel(
        "Projected use at the reset",
        "percentunit",
        (("maxpool_window_projected_ratio", "{{account}} {{window}}"),),
    ),
    Panel(
        "Requests by account",
        "reqps",
        (("sum by (account) (rate(maxpool_requests_total[$__rate_interval]))", "{{account}}"),),
    ),
    Panel(
        "Requests by status",
        "reqps",
        (("sum by (status) (rate(maxpool_requests_total[$__rate_interval]))", "{{status}}"),),
    ),
    Panel(
        "Tokens",
        "none",
        (("sum by (kind) (rate(maxpool_account_tokens_total[$__rate_interval]))", "{{kind}}"),),
    ),
    Panel(
        "Cost per hour",
        "currencyUSD",
        (("sum by (account) (rate(maxpool_account_cost_usd_total[1h])) * 3600", "{{account}}"),),
    ),
    Panel(
        "First byte",
        "s",
        tuple(
            (
                quantile("maxpool_first_byte_seconds", share, "le, family"),
                f"{{{{family}}}} p{share * 100:g}",
            )
            for share in (0.5, 0.95)
        ),
    ),
    Panel(
        "What maxpool itself takes",
        "s",
        tuple(
            (quantile("maxpool_overhead_seconds", share), f"p{share * 100:g}")
            for share in (0.5, 0.95, 0.99)
        ),
    ),
    Panel(
        "Waiting",
        "s",
        (
            (quantile("maxpool_queue_wait_seconds", 0.95), "p95 of those that waited"),
            ("maxpool_queue_oldest_seconds", "oldest now"),
        ),
    ),
    Panel(
        "Moves of sessions, and the cache they left",
        "none",
        (
            ("increase(maxpool_moves_total[1h])", "moves per hour"),
            ("increase(maxpool_cache_tokens_lost_total[1h])", "cache tokens lost per hour"),
        ),
    ),
    Panel("States", "none", (("maxpool_accounts", "{{state}}"),)),
    Panel(
        "Trouble",
        "none",
        (
            ("sum by (status) (increase(maxpool_client_errors_total[5m]))", "errors {{status}}"),
            ("increase(maxpool_internal_errors_total[5m])", "internal errors"),
            ("increase(maxpool_refresh_failures_total[5m])", "failed refreshes"),
            ("increase(maxpool_ledger_rows_lost_total[5m])", "lost ledger rows"),
            ("maxpool_throttles_open", "open throttles"),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "__inputs": [
            {
                "name": "source",
                "label": "Prometheus",
                "type": "datasource",
                "pluginId": "prometheus",
                "pluginName": "Prometheus",
            }
        ],
        "uid": "maxpool",
        "title": "maxpool",
        "tags": ["llm", "maxpool"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": []},
        "annotations": {"list": []},
        "panels": list(_laid_out()),
    }


def text() -> str:
    """The same, for a file."""
    return json.dumps(dashboard(), indent=2)


def _laid_out() -> list[dict[str, Any]]:
    """The panels, side by side while a row has room."""
    found: list[dict[str, Any]] = []
    x = y = 0
    tall = HEIGHT // 2
    for number, panel in enumerate(PANELS, 1):
        if x + panel.width > COLUMNS:
            x, y = 0, y + tall
        tall = HEIGHT // 2 if panel.kind == "stat" else HEIGHT
        place = {"x": x, "y": y, "w": panel.width, "h": tall}
        found.append(_panel(number, panel, place))
        x += panel.width
    return found


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + at),
            "expr": expression,
            "legendFormat": legend or panel.title,
            "datasource": SOURCE,
        }
        for at, (expression, legend) in enumerate(panel.asks)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }
