from typing import Any

import pytest

from maxpool.config.account import AccountConfig, ClientKeyConfig
from maxpool.config.checks import PLANS, Parts, doubts, find
from maxpool.config.derive import account as derived
from maxpool.config.model import QueueConfig, ServerConfig, UpstreamConfig

PROVIDER = {"kind": "provider", "base_url": "https://x"}
KEY = ((0, ClientKeyConfig(name="k", key="env:K")),)


def findings(
    *accounts: AccountConfig, upstream: UpstreamConfig | None = None, **parts: Any
) -> list[Any]:
    found = find(
        Parts(upstream=upstream or UpstreamConfig(), accounts=list(enumerate(accounts)), **parts)
    )
    return [(finding.path, finding.message) for finding in found]


def account(**keys: Any) -> AccountConfig:
    return AccountConfig.model_validate({"name": "a", "secret": "env:A", **keys})


def test_the_defaults_break_no_rule():
    assert findings(server=ServerConfig(), queue=QueueConfig()) == []


def test_a_server_that_others_can_reach_has_keys():
    config = ServerConfig.model_validate({"host": "0.0.0.0"})
    ((path, message),) = findings(server=config)
    assert path == ("server", "host")
    assert "there is none" in message
    assert findings(server=config, client_keys=KEY) == []


def test_on_this_machine_the_state_folder_s_own_key_is_enough():  # X10
    assert findings(server=ServerConfig.model_validate({"require_key": True})) == []


def test_a_certificate_and_its_key_come_together():
    ((path, message),) = findings(server=ServerConfig.model_validate({"tls_cert": "c.pem"}))
    assert (path, "tls_key" in message) == (("server", "tls_cert"), True)


@pytest.mark.parametrize(
    "base_url", ["https://api.example.com", "http://127.0.0.1:9", "http://[::1]:9"]
)
def test_an_encrypted_or_local_origin_is_fine(base_url):
    assert findings(account(kind="provider", base_url=base_url)) == []


def test_a_credential_never_crosses_a_network_unencrypted_unless_allowed():
    plain = {"kind": "provider", "base_url": "http://10.0.0.7:9"}
    ((path, message),) = findings(account(**plain))
    assert (path, "unencrypted" in message) == (("accounts", 0, "base_url"), True)
    assert findings(account(**plain, allow_http=True)) == []
    assert findings(upstream=UpstreamConfig(base_url="http://10.0.0.7"))[0][0] == (
        "upstream",
        "base_url",
    )


def test_a_subscription_may_serve_every_program_only_on_loopback():
    plan = account(kind="subscription", serves=["*"])
    ((path, message),) = findings(plan)
    assert (path, "claude-code" in message) == (("accounts", 0, "serves"), True)
    assert findings(plan, upstream=UpstreamConfig(base_url="http://127.0.0.1:9")) == []
    assert findings(account(kind="subscription", serves=["*"], base_url="http://localhost:9")) == []
    assert findings(account(kind="subscription", serves=["claude-code"])) == []


def test_an_account_that_serves_nobody_is_a_mistake():
    assert findings(account(serves=[]))[0][0] == ("accounts", 0, "serves")


def test_a_provider_says_where_it_is():
    assert "base_url" in findings(account(kind="provider"))[0][1]


def test_a_secret_that_is_not_written_is_looked_for_where_logins_keep_theirs():
    assert findings(AccountConfig(name="a")) == []
    assert findings(AccountConfig(name="a", kind="provider", base_url="http://127.0.0.1:9")) == []


def test_a_secret_that_would_never_be_sent_is_a_mistake():
    assert findings(account(auth_header="none"))[0][0] == ("accounts", 0, "auth_header")


@pytest.mark.parametrize(
    ("first", "second", "once"),
    [
        ({}, {}, True),
        ({"kind": "subscription"}, {"kind": "subscription"}, True),
        ({"base_url": "https://x"}, {"base_url": "https://x"}, True),
        ({}, {"secret": "env:B"}, False),  # two organisations of one person are two accounts
        ({}, {"base_url": "https://x"}, False),
        ({}, {"enabled": False}, False),
        (PROVIDER, {**PROVIDER, "model": "m"}, False),
    ],
)
def test_the_same_login_added_twice_is_a_mistake(first, second, once):  # S13
    found = findings(account(**first), account(**second))
    assert [path for path, _ in found] == ([("accounts", 1, "secret")] if once else [])


def test_a_fixed_model_and_a_model_map_are_not_both_given():
    both = account(model="m", models={"claude-*": "n"})
    assert findings(both)[0][0] == ("accounts", 0, "model")
    assert findings(account(model="m")) == findings(account(models={"a": "b"})) == []


@pytest.mark.parametrize(
    ("keys", "blamed"),
    [
        ({"headers": {"Api-Key": "x"}, "auth_header": "api-key"}, "headers"),
        ({"headers": {"X-Left": "x"}, "deadline_header": "x-left"}, "deadline_header"),
        ({"auth_header": "X-Left", "deadline_header": "x-left"}, "deadline_header"),
    ],
)
def test_no_header_has_two_values(keys, blamed):
    ((path, _),) = findings(account(**keys))
    assert path == ("accounts", 0, blamed)


def test_two_entries_never_share_a_name_or_an_id():
    names = [("accounts", 0, "a"), ("accounts", 1, "a"), ("client_keys", 0, "a")]
    assert findings(names=names)[0][0] == ("accounts", 1, "name")
    assert len(findings(names=names)) == 1
    assert findings(account(id="x"), account(id="x"))[0][0] == ("accounts", 1, "id")


@pytest.mark.parametrize(
    "key", [ClientKeyConfig(name="k"), ClientKeyConfig(name="k", key="env:K", sha256="0" * 64)]
)
def test_a_client_key_is_given_in_exactly_one_way(key):
    assert findings(client_keys=((0, key),))[0][0] == ("client_keys", 0)


def test_a_client_may_not_be_promised_less_than_everybody_waits():
    queue = QueueConfig(max_wait_s=7200, max_wait_allowed_s=3600)
    assert findings(queue=queue)[0][0] == ("queue", "max_wait_allowed")


@pytest.mark.parametrize("plan", [None, *PLANS, "Max20x", "Team"])
def test_a_known_plan_is_no_reason_for_doubt(plan):
    assert list(doubts(account(plan=plan))) == []


def test_a_plan_that_nobody_knows_counts_as_the_one_it_is_said_to_count_as():
    unknown = account(plan="max20")
    (doubt,) = doubts(unknown)
    assert doubt.startswith('plan "max20" is not known (max_20x, max_5x, pro,')
    assert doubt.endswith("treated as max_20x")
    assert derived(unknown).plan_weight == derived(account(plan="max_20x")).plan_weight


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"format": "openai-chat"}, "format"),
        ({**PROVIDER, "format": "generate", "provider": "anthropic"}, "format"),
        ({"body": {"files": True}}, "body"),
        ({"lacks": ["images"], "can": ["images"]}, "can"),
        ({**PROVIDER, "format": "openai-chat", "body": {"files": True}, "can": ["images"]}, None),
    ],
)
def test_another_format_belongs_to_a_provider_and_its_options_to_it(keys, key):
    expected = [] if key is None else [("accounts", 0, key)]
    assert [path for path, _ in findings(account(**keys))] == expected
