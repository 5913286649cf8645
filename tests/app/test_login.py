from __future__ import annotations

from datetime import date

import pytest

from maxpool.app.login import (
    Wish,
    check,
    dress_home,
    home_folder,
    of_secret,
    prepare,
    sign_in_at_home,
    sign_in_oauth,
    terms_accepted,
)
from maxpool.app.signin import Ways
from maxpool.config.load import load
from maxpool.config.model import Config
from maxpool.errors import ConfigError, MaxpoolError, SecretError
from maxpool.ports import Secret
from maxpool.service.verifying import Unverified, Verified
from tests.logins import Browser, world
from tests.rig import key, plan

CONSOLE = key("console")


async def test_a_wrong_name_or_value_is_refused_before_anybody_signs_in(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        before = one.config.read_text()
        for wish in (
            Wish(name="-x", kind="api_key"),
            Wish(name="x", kind="api_key", base_url="ftp://x"),
            Wish(name="x", kind="api_key", base_url="http://far.example"),
            Wish(name="x", kind="api_key", plan="no plan"),
        ):
            with pytest.raises(ConfigError) as caught:
                prepare(wish, one.config)
            assert caught.value.problems[0].path == "command line"
        with pytest.raises(ConfigError) as caught:
            prepare(Wish(name="x", kind="oauth", profile="unknown"), one.config)
        assert caught.value.problems[0].message == "has no section [oauth.unknown]"
        assert one.config.read_text() == before


async def test_a_vault_that_cannot_be_used_is_said_before_anybody_signs_in(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        monkeypatch.delenv("MAXPOOL_SECRET_KEY")
        with pytest.raises(SecretError, match=r".") as caught:
            prepare(Wish(name="x", kind="api_key"), one.config)
        assert "maxpool secrets init" in caught.value.hint


def test_a_missing_config_is_an_empty_one(tmp_path, monkeypatch):
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    login = prepare(Wish(name="home", kind="home"), tmp_path / "none.toml")
    assert login.entry.kind == "home"
    assert login.vault is None


async def test_an_account_that_exists_keeps_its_kind(tmp_path, monkeypatch):
    more = '[[accounts]]\nname = "x"\nkind = "oauth"\noauth = "demo"\npriority = 3\n'
    async with world(tmp_path, monkeypatch, more=more) as one:
        login = prepare(Wish(name="x"), one.config)
        assert (login.entry.kind, login.entry.oauth, login.entry.priority) == ("oauth", "demo", 3)
        with pytest.raises(MaxpoolError, match="kind oauth already") as caught:
            prepare(Wish(name="x", kind="api_key"), one.config)
        assert "maxpool accounts remove x" in caught.value.hint
        assert prepare(Wish(name="new"), one.config).entry.kind == "subscription"


async def test_a_refused_secret_goes_no_further(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        login = prepare(Wish(name="x", kind="api_key"), one.config)
        assert isinstance(await check(login, Secret(CONSOLE.secret)), Verified)
        with pytest.raises(SecretError, match="not stored") as caught:
            await check(login, Secret("sk-ant-api03-wrong"))
        assert "wrong" not in caught.value.message


async def test_a_secret_belongs_to_the_origin_of_its_account(tmp_path, monkeypatch):  # X5
    async with world(tmp_path, monkeypatch) as one:
        wish = Wish(name="x", kind="provider", base_url="http://127.0.0.1:9/api/v1")
        login = prepare(wish, one.config)
        found = of_secret(login, Secret("k"), Unverified("why"))
        assert found.origin == "http://127.0.0.1:9"
        assert login.destination.base_url == "http://127.0.0.1:9/api"


async def test_a_sign_in_tells_whose_it_is_and_when_it_ends(tmp_path, monkeypatch):
    person = plan("juniper")
    async with world(tmp_path, monkeypatch, person) as one:
        login = prepare(Wish(name="x", kind="oauth", profile="demo"), one.config)
        browser = Browser("juniper")
        credential, found = await sign_in_oauth(login, browser, Ways(browser=False))
        assert isinstance(found, Verified)
        assert (credential.account_uuid, credential.organization_uuid) == (
            person.person_id,
            person.organization_id,
        )
        assert (credential.profile, credential.issuer) == ("demo", one.upstream_url)
        assert credential.granted_at is not None
        assert credential.expires_at == pytest.approx(credential.granted_at + 28_800, abs=5)
        assert "user:profile" in credential.scopes
        assert login.destination.auth_header == "bearer"


def test_a_yes_to_an_older_notice_is_asked_again():
    entry = {"name": "x", "kind": "subscription", "terms_accepted": date(2026, 11, 1)}
    config = Config.model_validate({"accounts": [entry]})
    assert terms_accepted(config, date(2026, 11, 1))
    assert not terms_accepted(config, date(2026, 11, 20))
    assert not terms_accepted(Config(), date(2026, 11, 1))


# -- homes ---------------------------------------------------------------------------------------


def client(tmp_path, status: str, login: str = "true") -> str:
    """A stand-in for the official program."""
    path = tmp_path / "claude"
    path.write_text(
        "#!/bin/sh\n"
        f'if [ "$2" = status ]; then {status}; exit; fi\n'
        f'echo "$@" >> {tmp_path}/started\n{login}\n'
    )
    path.chmod(0o700)
    return str(path)


SIGNED_IN = (
    'test -e "$CLAUDE_CONFIG_DIR/in" && echo \'{"loggedIn": true}\' || echo \'{"loggedIn": false}\''
)


def test_a_home_is_private_and_its_client_signs_in_by_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    login = prepare(Wish(name="h", kind="home"), tmp_path / "c.toml")
    folder = home_folder(login)
    assert folder == tmp_path / "state" / "homes" / login.entry.stable_id
    assert folder.stat().st_mode & 0o777 == 0o700
    program = client(tmp_path, SIGNED_IN, 'touch "$CLAUDE_CONFIG_DIR/in"')
    sign_in_at_home(program, folder)
    assert (tmp_path / "started").read_text() == "auth login\n"


def test_two_homes_never_share_a_folder(tmp_path, monkeypatch):  # S13
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    config = tmp_path / "c.toml"
    config.write_text('[[accounts]]\nname = "a"\nkind = "home"\nconfig_dir = "here"\n')
    second = Wish(name="b", kind="home", config_dir=tmp_path / "here")
    with pytest.raises(MaxpoolError, match="home of a already"):
        home_folder(prepare(second, config))
    home_folder(prepare(Wish(name="a", kind="home"), config))  # its own, again


def test_a_home_of_ours_gets_the_status_line_and_another_folder_is_left_alone(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    login = prepare(Wish(name="a", kind="home"), tmp_path / "c.toml")
    folder = home_folder(login)
    assert dress_home(login, folder) is None
    assert "statusline" in (folder / "settings.json").read_text()
    named = tmp_path / "mine"
    login = prepare(Wish(name="b", kind="home", config_dir=named), tmp_path / "c.toml")
    assert "maxpool statusline install" in (dress_home(login, home_folder(login)) or "")
    assert not (named / "settings.json").exists()


def test_an_older_client_is_started_plainly_and_its_login_is_only_looked_for(tmp_path):
    program = client(tmp_path, "exit 2", 'touch "$CLAUDE_CONFIG_DIR/.credentials.json"')
    with pytest.raises(MaxpoolError, match="nobody is signed in"):
        sign_in_at_home(program, tmp_path)  # an empty file is no login
    program = client(tmp_path, "exit 2", 'echo x > "$CLAUDE_CONFIG_DIR/.credentials.json"')
    sign_in_at_home(program, tmp_path)
    assert (tmp_path / "started").read_text() == "\n\n"


def test_a_home_in_which_nobody_signed_in_is_no_account(tmp_path):
    with pytest.raises(MaxpoolError, match="nobody is signed in") as caught:
        sign_in_at_home(client(tmp_path, SIGNED_IN), tmp_path)
    assert "again" in caught.value.hint


async def test_the_config_in_use_is_not_changed_by_preparing(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        before = one.config.read_bytes()
        prepare(Wish(name="x", kind="api_key"), one.config)
        assert one.config.read_bytes() == before
        assert not load(one.config).config.accounts
