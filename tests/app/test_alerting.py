from __future__ import annotations

from maxpool.app.alerting import alert_settings
from maxpool.config.model import Config
from maxpool.service.delivery import Delivery
from tests.rig import rig


def test_what_the_config_says_of_alerts_is_what_holds():
    told = {
        "targets": {"x": "https://h.example/x"},
        "remind": "6h",
        "gap": "1min",
        "quiet_hours": "22:00-07:00",
        "rules": [{"when": "pool_dry", "name": "dry"}],
    }
    found = alert_settings(Config.model_validate({"alerts": told}))
    assert found.targets == {"x": "https://h.example/x"}
    assert (found.times.remind_s, found.times.gap_s) == (6 * 3600.0, 60.0)
    assert found.quiet == (22 * 60, 7 * 60)
    assert [rule.name for rule in found.rules] == ["dry"]


async def test_by_default_there_is_no_rule_and_no_target_so_nothing_leaves():  # X12
    async with rig() as it:
        alerting = it.proxy.alerting
        assert isinstance(alerting.delivery, Delivery)
        assert alerting.settings.rules == ()
        assert alerting.delivery.boxes == {}


async def test_alerts_are_looked_at_by_a_timer_of_the_server():
    async with rig() as it:
        assert "alerts" in it.proxy.timers._rings
