from __future__ import annotations

import pytest

from maxpool.config.load import parse
from maxpool.errors import RequestError, SecretError
from maxpool.ports import Secret
from maxpool.service.roster import GivenSecrets, Roster, read_entry
from tests.make import NOW

ONE = '[[accounts]]\nname = "a"\nsecret = "env:A"\npriority = 3\n'


class Nowhere:
    def resolve(self, reference):
        return Secret(f"from {reference}")


def config(tmp_path, text=ONE):
    return parse(text, tmp_path / "config.toml")


@pytest.fixture
def roster(tmp_path):
    return Roster(config(tmp_path), GivenSecrets(Nowhere()))


def added(roster, name="r", secret="env:R", **given):
    entry = read_entry({"name": name, **given}, roster.config, secret, None)
    roster.add(entry, NOW)
    return entry.stable_id


def settings(roster):
    return {e.name: e.priority for e in roster.effective().accounts}


def test_run_time_accounts_come_after_those_of_the_config(roster):
    added(roster, priority=7)
    assert settings(roster) == {"a": 3, "r": 7}


def test_a_run_time_account_is_replaced_by_name(roster):
    first = added(roster, priority=7)
    assert added(roster, priority=8) == first
    other = added(roster, priority=9, kind="provider", base_url="https://x.example")
    assert other != first
    assert settings(roster) == {"a": 3, "r": 9}


def test_a_change_holds_until_the_config_says_something_else(roster, tmp_path):
    account_id = roster.config.accounts[0].stable_id
    roster.change(account_id, {"priority": 1, "tier": 2})
    assert settings(roster) == {"a": 1}
    roster.follow(config(tmp_path, ONE + "weight = 2.0\n"))
    assert settings(roster) == {"a": 1}
    roster.follow(config(tmp_path, ONE.replace("priority = 3", "priority = 4")))
    assert settings(roster) == {"a": 4}
    assert roster.overrides() == {account_id: {"tier": 2}}


def test_changing_back_to_what_the_config_says_is_no_change(roster):
    account_id = roster.config.accounts[0].stable_id
    roster.change(account_id, {"priority": 1})
    roster.change(account_id, {"priority": 3})
    assert roster.overrides() == {}


def test_a_wrong_change_changes_nothing(roster):
    account_id = roster.config.accounts[0].stable_id
    with pytest.raises(RequestError, match="weight must be more than 0"):
        roster.change(account_id, {"priority": 1, "weight": 0.0})
    assert settings(roster) == {"a": 3}


def test_an_account_that_the_config_takes_over_is_a_run_time_one_no_more(roster, tmp_path):
    added(roster, "b")
    mine = ONE + '[[accounts]]\nname = "b"\nsecret = "env:B"\n'
    assert roster.follow(config(tmp_path, mine)) == ["b"]
    assert [e.secret for e in roster.effective().accounts] == ["env:A", "env:B"]
    assert not roster.added


def test_a_secret_given_as_it_is_rests_in_memory_and_goes_with_its_account(roster):
    secrets = roster.secrets
    reference = secrets.keep(Secret("sk-given"), None)
    account_id = added(roster, secret=reference)
    assert secrets.resolve(reference).reveal() == "sk-given"
    assert secrets.keep(Secret("sk-given"), reference) == reference
    assert secrets.keep(Secret("sk-other"), reference) != reference
    roster.remove(account_id)
    with pytest.raises(SecretError):
        secrets.resolve(reference)
    assert secrets.resolve("env:R").reveal() == "from env:R"


def test_all_mistakes_are_told_and_no_value_is(roster):
    with pytest.raises(RequestError) as caught:
        read_entry({"name": "x", "prioritee": 1, "weight": "sk-ant"}, roster.config, "env:X", None)
    told = str(caught.value)
    assert "unknown key prioritee" in told
    assert "weight must be a number" in told
    assert "entry 1" not in told
    assert "sk-ant" not in told


def test_the_rules_of_the_config_hold_for_run_time_accounts(roster):
    for given, said in (
        ({"kind": "provider"}, "base_url"),
        ({"base_url": "http://far.example"}, "unencrypted"),
        ({"kind": "subscription", "serves": ["*"]}, "claude-code"),
    ):
        with pytest.raises(RequestError, match=said):
            read_entry({"name": "x", **given}, roster.config, "env:X", None)
    with pytest.raises(RequestError, match="secret"):
        read_entry({"name": "x"}, roster.config, None, None)
