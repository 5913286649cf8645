from datetime import date

import pytest
from pydantic import ValidationError

from maxpool.config.account import AccountConfig, ClientKeyConfig


def test_an_id_stays_the_same_while_name_and_kind_do():
    first = AccountConfig(name="a", secret="env:A").stable_id
    assert first == AccountConfig(name="a", secret="env:B", priority=7).stable_id
    assert first.startswith("a-")
    assert first != AccountConfig(name="b").stable_id
    assert first != AccountConfig(name="a", kind="subscription").stable_id


def test_a_written_id_is_taken_as_it_is():
    assert AccountConfig(name="a", id="mine").stable_id == "mine"


def test_a_subscription_serves_claude_code_only_unless_told_otherwise():
    assert AccountConfig(name="a", kind="subscription").programs == frozenset({"claude-code"})
    assert AccountConfig(name="a").programs is None
    assert AccountConfig(name="a", kind="subscription", serves=("*",)).programs is None
    assert AccountConfig(name="a", serves=("codex",)).programs == frozenset({"codex"})


def test_a_login_that_comes_with_requests_is_no_entry():
    with pytest.raises(ValidationError, match="such logins come with the requests"):
        AccountConfig.model_validate({"name": "a", "kind": "client"})


def test_a_home_is_for_claude_code_alone_and_an_oauth_login_for_what_its_owner_says():
    assert AccountConfig(name="a", kind="home").programs == frozenset({"claude-code"})
    assert AccountConfig(name="a", kind="oauth", oauth="example").programs is None


def test_a_format_that_only_clients_speak_is_named_as_such():
    with pytest.raises(ValidationError, match="speaks to clients and not to services"):
        AccountConfig.model_validate({"name": "a", "format": "openai-responses"})
    for form in ("anthropic", "openai-chat", "generate"):
        assert AccountConfig.model_validate({"name": "a", "format": form}).format == form


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"lacks": ["pictures"]}, "known are images"),
        ({"can": ["everything"]}, "known are images"),
        ({"body": {"max_tokens": 5}}, "max_tokens is no option; there are: max_tokens_field"),
        ({"body": {"files": "yes"}}, "files must be true or false"),
        ({"body": {"max_tokens_max": 0}}, "max_tokens_max must be a number of tokens"),
        ({"context": {"*": 0}}, "greater than or equal to 1"),
    ],
)
def test_what_an_account_can_take_is_told_in_known_words(wrong, told):
    with pytest.raises(ValidationError, match=told):
        AccountConfig.model_validate({"name": "a", **wrong})


def test_what_an_upstream_needs_of_its_own_is_off_unless_it_is_named():
    plain = AccountConfig(name="a")
    assert (plain.model, plain.deadline_header, plain.cost_header, plain.cost_event) == (None,) * 4
    assert (plain.auth_header, plain.strip_events, plain.strip_beta_headers) == ("auto", (), ())


@pytest.mark.parametrize(
    "wrong",
    [{"caps": {"5h": 1.5}}, {"caps": {"5h": 0}}, {"weight": 0}, {"slots": 0}, {"priority": 1.5}],
)
def test_a_number_out_of_range_is_refused(wrong):
    with pytest.raises(ValidationError):
        AccountConfig.model_validate({"name": "a", **wrong})


@pytest.mark.parametrize("day", [date(2026, 12, 31), "2026-12-31"])
def test_a_key_ends_with_a_day(day):
    assert ClientKeyConfig(name="a", expires=day).expires == date(2026, 12, 31)


@pytest.mark.parametrize("day", ["tomorrow", "2026-02-30", 0, 86400, 1.5, True])
def test_what_is_no_day_is_told_how_one_is_written(day):
    with pytest.raises(ValidationError, match="must be a day such as 2026-12-31"):
        ClientKeyConfig(name="a", expires=day)
