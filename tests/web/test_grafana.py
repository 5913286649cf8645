from __future__ import annotations

import json
import re

from prometheus_client.parser import text_string_to_metric_families as parsed

from maxpool.web.grafana import COLUMNS, dashboard, text
from tests.rig import CLAUDE_CODE, plan, rig

MAYBE = {
    "maxpool_empty_seconds",  # only while the plans would run dry
    "maxpool_queue_wait_seconds_bucket",
    "maxpool_refresh_failures_total",
    "maxpool_ledger_rows_lost_total",
    "maxpool_window_projected_ratio",
    "maxpool_window_burn_ratio_per_hour",
    "maxpool_client_errors_total",
}
"""What a server that has just begun, with nothing wrong, has no sample of."""


def used() -> set[str]:
    asks = [t["expr"] for panel in dashboard()["panels"] for t in panel["targets"]]
    return {name for ask in asks for name in re.findall(r"maxpool_\w+", ask)}


async def test_every_metric_that_it_shows_exists():
    async with rig(plan("p", used_5h=0.3)) as it:
        await it.post(headers=CLAUDE_CODE)
        body = (await it.get("/metrics")).body.decode()
        names = {s.name for family in parsed(body) for s in family.samples}
        assert used() - names <= MAYBE


def test_what_it_shows_and_what_is_not_always_there_is_known_by_name():
    import inspect

    from maxpool.web import metric_tables, metrics

    source = inspect.getsource(metrics) + inspect.getsource(metric_tables)
    for name in used():
        base = name.removeprefix("maxpool_").removesuffix("_bucket")
        assert base in source, name


def test_panels_do_not_overlap_and_fit():
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {
            (place["x"] + dx, place["y"] + dy)
            for dx in range(place["w"])
            for dy in range(place["h"])
        }
        assert not cells & taken
        taken |= cells


def test_it_is_json_that_names_no_address_and_asks_for_its_source():
    found = json.loads(text())
    assert "http" not in text()
    assert found["__inputs"][0]["pluginId"] == "prometheus"
    assert {t["datasource"]["uid"] for p in found["panels"] for t in p["targets"]} == {"${source}"}
