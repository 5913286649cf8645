from dataclasses import fields
from pathlib import Path

import pytest

from maxpool.config import derive
from maxpool.config.account import AccountConfig
from maxpool.config.load import parse
from maxpool.config.model import Config, PoolConfig
from maxpool.core.needs import CHAT_LACKS, PROMPT_LACKS, RESOURCES
from maxpool.core.settings import PoolSettings
from maxpool.errors import ConfigError


def config(text: str) -> Config:
    return parse(text, Path("/c.toml"))


def test_the_defaults_of_the_file_are_the_defaults_of_the_core():
    assert derive.pool_settings(Config()) == PoolSettings()


def test_every_key_of_the_pool_section_reaches_the_core():
    core = {field.name for field in fields(PoolSettings)}
    assert set(PoolConfig.model_fields) - core == {
        *("window_5h_s", "window_7d_s"),
        *("client_login", "spill", "max_client_logins"),
    }


def test_what_the_file_says_reaches_the_core():
    settings = derive.pool_settings(
        config(
            "[pool]\nslots_total = 7\nwindow_5h = '5min'\nkey_price = 'after:1min'\nthrottle_reopen = ['1s']\n"
            "[queue]\nlimit = 3\nmax_wait = '1min'\n[storage]\nsave_gap = '2s'\n"
        )
    )
    assert settings.slots_total == 7
    assert settings.window_lengths["5h"] == 300
    assert (settings.key_price, settings.key_price_after_s) == ("after", 60)
    assert settings.throttle_reopen_s == (1.0,)
    assert (settings.queue_limit, settings.queue_max_wait_s, settings.save_gap_s) == (3, 60, 2)


def test_never_and_always_are_prices_without_a_time():
    assert derive.pool_settings(config("[pool]\nkey_price = 'never'")).key_price == "never"
    assert derive.pool_settings(config("[pool]\nkey_price = 'always'")).key_price == "always"


def test_an_account_reaches_the_core_with_every_setting():
    entry = config(
        "[[accounts]]\nid = 'x'\nname = 'a'\nkind = 'subscription'\nsecret = 'env:A'\nplan = 'max_5x'\n"
        "priority = 2\ntier = 1\nweight = 2\ncaps = { 5h = 0.9 }\nreserve = { 7d = 0.2 }\nemergency = true\n"
        "profiles = ['p']\nmodels = { 'claude-*' = 'm' }\nslots = 4\nenabled = false\n"
    )
    account = derive.accounts(entry)[0]
    assert (account.id, account.kind, account.plan, account.slots) == (
        "x",
        "subscription",
        "max_5x",
        4,
    )
    assert (account.priority, account.tier, account.weight, account.enabled) == (2, 1, 2.0, False)
    assert account.caps == {"5h": 0.9}
    assert (account.reserve, account.emergency) == ({"7d": 0.2}, True)
    assert account.serves == frozenset({"claude-code"})
    assert account.profiles == frozenset({"p"})
    assert account.models == {"claude-*": "m"}


def test_a_fixed_model_is_a_map_of_every_model_to_that_one():
    fixed = derive.account(AccountConfig(name="a", model="big"))
    assert fixed.models == {"*": "big"}
    assert derive.account(AccountConfig(name="a")).models == {}


def test_homes_are_the_accounts_that_nothing_is_sent_for():
    held = Config.model_validate(
        {"accounts": [{"name": "h", "kind": "home", "id": "h-1"}, {"name": "k", "secret": "env:K"}]}
    )
    assert derive.homes(held) == {"h-1"}


def test_a_subscriptions_token_is_for_subscriptions_and_logins_of_claude_code_alone():
    profile = '[oauth.p]\nauthorize_url = "https://x"\ntoken_url = "https://x"\nclient_id = "me"\n'
    oauth = '[[accounts]]\nname = "a"\nkind = "oauth"\noauth = "p"\n'
    for text, allowed in (
        ('[[accounts]]\nname = "a"\nkind = "subscription"\n', True),
        ('[[accounts]]\nname = "a"\n', False),
        (profile + oauth, False),
        (profile + oauth + 'serves = ["claude-code"]\n', True),
        (profile + oauth + 'base_url = "http://127.0.0.1:1"\n', True),
    ):
        found = config(text)
        assert derive.may_use_plan(found, found.accounts[0]) is allowed, text


def test_a_provider_is_its_own_issuer_unless_it_says_otherwise():
    local = AccountConfig(name="local", kind="provider", base_url="http://127.0.0.1:9")
    assert derive.provider(local) == "local"
    assert derive.provider(AccountConfig(name="a")) == "anthropic"
    assert derive.provider(AccountConfig(name="a", provider="acme")) == "acme"


def test_an_account_without_an_origin_uses_the_shared_one():
    assert derive.base_url(Config(), AccountConfig(name="a")) == "https://api.anthropic.com"
    assert derive.base_url(Config(), AccountConfig(name="a", base_url="https://x")) == "https://x"


def test_beyond_loopback_a_key_is_always_required():
    assert not derive.key_required(Config())
    keys = "[[client_keys]]\nname = 'k'\nkey = 'env:K'\n"
    assert derive.key_required(config("[server]\nhost = '0.0.0.0'\n" + keys))
    assert derive.key_required(config("[server]\nrequire_key = true\n" + keys))


def test_the_state_folder_of_the_file_wins_over_the_environments():
    assert derive.state_folder(Config(), {"MAXPOOL_HOME": "/h"}) == Path("/h")
    said = config("[storage]\nfolder = '/s'")
    assert derive.state_folder(said, {"MAXPOOL_HOME": "/h"}) == Path("/s")


CHAT = {"kind": "provider", "base_url": "https://x", "format": "openai-chat"}


def chat(**given: object) -> AccountConfig:
    return AccountConfig.model_validate({"name": "c", **CHAT, **given})


def test_what_an_account_lacks_follows_from_its_format():  # P2
    assert derive.lacks(AccountConfig(name="a")) == {"unsigned_thinking"}
    assert derive.lacks(chat()) == CHAT_LACKS
    assert derive.lacks(chat(format="generate")) == PROMPT_LACKS
    other = {"name": "o", "kind": "provider", "base_url": "https://x"}
    assert derive.lacks(AccountConfig.model_validate(other)) == {RESOURCES}


def test_options_and_its_owners_word_change_what_an_account_lacks():
    assert derive.lacks(chat(body={"files": True})) == CHAT_LACKS - {"documents"}
    given = chat(lacks=["images", "tools"], can=["citations"])
    assert derive.lacks(given) == (CHAT_LACKS | {"images", "tools"}) - {"citations"}


def test_what_only_a_translation_lacks_is_told_apart_from_what_its_owner_says():  # P2
    given = chat(lacks=["images", "documents"], can=["citations"])
    abroad = derive.account(given).lacks_abroad
    assert abroad == CHAT_LACKS - {"documents", "citations"}
    assert not derive.account(AccountConfig(name="a")).lacks_abroad


def test_the_context_and_the_longest_answer_reach_the_core():
    given = derive.account(chat(context={"*": 1000}, body={"max_tokens_max": 100}))
    assert (given.context, given.max_output_tokens) == ({"*": 1000}, 100)


SHARED = (
    '[[accounts]]\nname = "p"\nkind = "provider"\nformat = "openai-chat"\n'
    'base_url = "https://api.example.com/accounts/{account_id}/v1"\n'
)


def test_a_shared_address_holds_each_accounts_own_id():
    one = config(SHARED + 'account_id = "abc"\n')
    assert derive.base_url(one, one.accounts[0]) == "https://api.example.com/accounts/abc/v1"


def test_an_address_with_a_place_for_an_id_needs_one():
    with pytest.raises(ConfigError) as wrong:
        config(SHARED)
    assert "{account_id}" in wrong.value.problems[0].message


def test_the_root_of_an_api_and_how_its_key_is_sent_follow_the_format():
    chat = config(SHARED + 'account_id = "abc"\n')
    assert derive.root_url(chat, chat.accounts[0]).endswith("/v1")
    assert derive.auth_header(chat.accounts[0]) == "bearer"
    own = config('[[accounts]]\nname = "a"\nbase_url = "https://api.example.com/v1"\n')
    assert derive.root_url(own, own.accounts[0]) == "https://api.example.com"
    assert derive.auth_header(own.accounts[0]) == "auto"
