from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from maxpool.config.account import ClientKeyConfig
from maxpool.core.lease import LeaseRequest
from maxpool.errors import RequestError
from maxpool.web.allowance import EVERYTHING, Allowance, allowance_of, within


def key(**said) -> ClientKeyConfig:
    return ClientKeyConfig.model_validate({"name": "laptop", "key": "env:K", **said})


def asked(model: str = "claude-opus-4-8", **more) -> LeaseRequest:
    return LeaseRequest(model, **more)


def test_a_key_without_limits_may_do_everything():
    assert allowance_of(key()) is EVERYTHING
    request = asked(profile="x", priority=3)
    assert within(request, EVERYTHING) is request
    assert EVERYTHING.patience(900.0) == 900.0


def test_what_the_config_says_of_a_key_is_what_it_may_do():
    said = {"priority": 5, "models": ["claude-*"], "requests": 4, "max_wait": "1min"}
    found = allowance_of(key(**said, profile="team", expires=date(2026, 12, 31)))
    assert (found.name, found.priority, found.models) == ("laptop", 5, ("claude-*",))
    assert (found.requests, found.max_wait_s, found.profile) == (4, 60.0, "team")
    assert found.until == datetime(2027, 1, 1, tzinfo=UTC).timestamp(), "all of its last day counts"


def test_the_last_day_of_the_calendar_is_a_day_like_any_other():
    never = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
    assert allowance_of(key(expires=date.max)).until == never + 86400.0


def test_only_its_models_may_be_asked_for_and_the_key_is_named():  # X9
    allowed = Allowance(name="laptop", models=("claude-haiku-*", "claude-opus-4-8"))
    for model in ("claude-opus-4-8", "claude-haiku-4-5"):
        assert within(asked(model), allowed).model == model
    for model in ("claude-opus-4-8-1m", "Claude-haiku-4-5", "xclaude-haiku-4"):
        with pytest.raises(RequestError, match="client key 'laptop'") as caught:
            within(asked(model), allowed)
        assert (caught.value.status, caught.value.kind) == (403, "permission_error")


def test_a_call_that_may_use_any_model_is_not_for_such_a_key():  # X9
    allowed = Allowance(name="laptop", models=("claude-haiku-*",))
    assert within(asked(""), allowed).model == ""
    with pytest.raises(RequestError):
        within(asked(""), allowed, unnamed=True)
    free = Allowance(name="b", priority=1)
    assert within(asked(""), free, unnamed=True).priority == 1


def test_its_requests_have_its_profile_and_no_other():  # X9
    allowed = Allowance(name="laptop", profile="team")
    assert within(asked(), allowed).profile == "team"
    assert within(asked(profile="team"), allowed).profile == "team"
    with pytest.raises(RequestError, match="profile team only, which is not 'boss'"):
        within(asked(profile="boss"), allowed)


def test_it_may_step_back_and_not_forward():  # X9
    allowed = Allowance(name="laptop", priority=10)
    assert [within(asked(priority=p), allowed).priority for p in (0, 10, 50)] == [10, 10, 50]
    patient = Allowance(name="laptop", max_wait_s=30.0)
    assert [patient.patience(s) for s in (0.0, 10.0, 900.0)] == [0.0, 10.0, 30.0]
