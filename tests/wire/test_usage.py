from __future__ import annotations

import json

import pytest

from maxpool.core.ratelimit_usage import read_usage
from maxpool.core.view import Blend
from maxpool.wire.usage import profile_document, usage_document
from tests.make import HOUR, NOW


def test_what_is_written_is_what_a_reader_of_the_vendors_shape_gets():
    windows = {
        "5h": Blend(0.33, NOW + HOUR),
        "7d": Blend(0.5, NOW + 9 * HOUR),
        "7d:opus": Blend(1.0, None),
        "7d:fable": Blend(0.2, NOW + 9 * HOUR),
    }
    told = json.loads(usage_document(windows))
    assert told["five_hour"]["utilization"] == 33.0
    assert (told["seven_day_opus"]["resets_at"], told["seven_day_sonnet"]) == (None, None)
    read = {r.window: (r.utilization, r.reset_at) for r in read_usage(told, NOW).readings}
    assert read == {name: (share.utilization, share.reset_at) for name, share in windows.items()}


@pytest.mark.parametrize(("used", "severity"), [(0.2, "normal"), (0.9, "critical")])
def test_a_nearly_full_window_is_shown_as_such(used, severity):
    (limit,) = json.loads(usage_document({"5h": Blend(used, None)}))["limits"]
    assert (limit["severity"], limit["kind"], limit["scope"]) == (severity, "session", None)


def test_a_pool_of_keys_has_no_windows():
    told = json.loads(usage_document({}))
    assert (told["five_hour"], told["seven_day"], told["limits"]) == (None, None, [])


def test_the_profile_names_nobody():
    told = json.loads(profile_document())
    assert told["account"]["email"].endswith(".invalid")
    assert (told["account"]["has_claude_max"], told["organization"]["name"]) == (False, "maxpool")
