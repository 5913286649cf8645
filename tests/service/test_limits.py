"""The data path's limits come from the config, and mean the same without one."""

from __future__ import annotations

from maxpool.config.model import Config
from maxpool.service.limits import Limits, limits_of


def test_an_empty_config_gives_the_limits_own_defaults():
    assert limits_of(Config()) == Limits()


def test_every_limit_the_config_names_arrives():
    config = Config.model_validate(
        {
            "server": {"stall": "7s", "hold_bytes": 1000, "show_account": False},
            "upstream": {"max_sends": 2, "idle_timeout": "9s", "header_timeout_stream": "3s"},
            "queue": {"max_bytes": "1MB", "heartbeat": "4s", "commit_after": "5s", "max_wait": 6},
        }
    )
    found = limits_of(config)
    assert (found.stall_s, found.hold_bytes, found.show_account) == (7.0, 1000, False)
    assert (found.max_sends, found.idle_timeout_s, found.header_timeout_stream_s) == (2, 9.0, 3.0)
    assert (found.queue_bytes, found.heartbeat_s, found.commit_after_s) == (1 << 20, 4.0, 5.0)
    assert found.max_wait_s == 6.0
