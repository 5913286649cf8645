from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from maxpool.app import accounts
from maxpool.app.keep import Outcome, keep
from maxpool.app.login import Wish, prepare
from maxpool.app.vault import open_vault
from maxpool.config.load import load
from maxpool.errors import MaxpoolError
from maxpool.wire.credential import StoredCredential
from tests.logins import entries, kept, world

ME = StoredCredential(
    secret="access-1",
    refresh_token="refresh-1",
    origin="http://127.0.0.1:9",
    account_uuid="me",
    organization_uuid="work",
)


def log_in(one, name: str, credential: StoredCredential | None, **wish) -> Outcome:
    accepted = wish.pop("accepted", None)
    given = {"kind": "oauth", "profile": "demo", **wish}
    login = prepare(Wish(name=name, **given), one.config)
    return keep(login, credential, accepted)


async def test_a_new_account_is_in_the_vault_and_then_in_the_config(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        found = log_in(one, "work", ME, plan="max_5x", priority=2)
        entry = entries(one)["work"]
        assert (entry.id, entry.kind, entry.oauth) == (found.id, "oauth", "demo")
        assert (entry.plan, entry.priority, entry.secret) == ("max_5x", 2, None)
        assert kept(one, "work") == ME
        text = one.config.read_text()
        assert text.startswith("# mine\n")
        assert "access-1" not in text
        assert "refresh-1" not in text


async def test_an_oauth_login_that_gives_a_plan_s_token_serves_claude_code_only(
    tmp_path, monkeypatch
):
    of_plan = replace(ME, secret="sk-ant-oat01-x", origin="https://api.example.com")
    async with world(tmp_path, monkeypatch) as one:
        found = log_in(one, "work", of_plan, base_url="https://api.example.com")
        assert entries(one)["work"].serves == ("claude-code",)
        assert "serves Claude Code only" in " ".join(found.notes)
        assert "serves" not in " ".join(log_in(one, "here", replace(of_plan, secret="key")).notes)


async def test_a_new_login_keeps_the_id_and_all_else(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        first = log_in(one, "work", ME)
        before = one.config.read_text()
        fresh = replace(ME, secret="access-2", refresh_token="refresh-2")
        again = log_in(one, "work", fresh)
        assert (again.id, again.renewed, again.already) == (first.id, True, False)
        assert kept(one, "work") == fresh
        assert one.config.read_text() == before


async def test_the_same_login_under_another_name_is_the_account_it_was(
    tmp_path, monkeypatch
):  # S13
    async with world(tmp_path, monkeypatch) as one:
        log_in(one, "work", ME)
        found = log_in(one, "other", replace(ME, secret="access-2"))
        assert (found.name, found.already) == ("work", True)
        assert list(entries(one)) == ["work"]
        again = kept(one, "work")
        assert again is not None
        assert again.secret == "access-2"


async def test_two_organisations_of_one_person_are_two_accounts(tmp_path, monkeypatch):  # S13
    async with world(tmp_path, monkeypatch) as one:
        log_in(one, "work", ME)
        log_in(one, "home", replace(ME, secret="access-2", organization_uuid="home"))
        assert len({entry.id for entry in entries(one).values()}) == 2


async def test_somebody_elses_login_does_not_take_an_accounts_place(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        log_in(one, "work", ME)
        with pytest.raises(MaxpoolError, match="somebody else's") as caught:
            log_in(one, "work", replace(ME, account_uuid="you"))
        assert "maxpool logout work --keep-entry" in caught.value.hint
        assert kept(one, "work") == ME


async def test_the_same_key_twice_is_one_account_even_where_a_file_holds_it(tmp_path, monkeypatch):
    secret = tmp_path / "key"
    secret.write_text("the-key\n")
    secret.chmod(0o600)
    more = f'[[accounts]]\nname = "filed"\nsecret = "file:{secret}"\n'
    async with world(tmp_path, monkeypatch, more=more) as one:
        found = log_in(one, "x", key_of("the-key"), kind="api_key", profile=None)
        assert (found.name, found.already, found.place) == ("filed", True, f"file:{secret}")
        assert list(entries(one)) == ["filed"]


def key_of(secret: str) -> StoredCredential:
    return StoredCredential(secret=secret, origin="http://127.0.0.1:9")


async def test_a_login_takes_over_from_a_reference_and_says_so(tmp_path, monkeypatch):
    more = '[[accounts]]\nname = "x"\nsecret = "env:NOT_SET"\nenabled = false\n'
    async with world(tmp_path, monkeypatch, more=more) as one:
        before = entries(one)["x"].stable_id
        found = log_in(one, "x", key_of("k"), kind="api_key", profile=None)
        entry = entries(one)["x"]
        assert (entry.id, entry.secret, entry.enabled) == (before, None, True)
        assert any("env:NOT_SET" in note for note in found.notes)
        assert any("enabled again" in note for note in found.notes)


async def test_a_crash_between_vault_and_config_is_mended_by_the_next_login(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        login = prepare(Wish(name="work", kind="oauth", profile="demo"), one.config)

        def crash(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as broken:
            broken.setattr(accounts, "add_entry", crash)
            with pytest.raises(KeyboardInterrupt):
                keep(login, ME)
        assert entries(one) == {}
        found = log_in(one, "work", ME)
        vault = open_vault(load(one.config).config)
        assert vault.get(found.id) is not None
        assert kept(one, "work") == ME


async def test_a_yes_is_kept_with_its_date(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        day = date(2026, 11, 21)
        log_in(one, "max", key_of("t"), kind="subscription", profile=None, accepted=day)
        assert entries(one)["max"].terms_accepted == day


async def test_an_account_without_a_key_gets_one_later(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        url = "http://127.0.0.1:9"
        wish = {"kind": "provider", "profile": None, "base_url": url}
        first = log_in(one, "local", None, keyless=True, **wish)
        assert (first.place, entries(one)["local"].auth_header) == (None, "none")
        again = log_in(one, "local", key_of("k"), **wish)
        assert (again.id, entries(one)["local"].auth_header) == (first.id, "auto")


async def test_two_tokens_of_one_organisation_are_pointed_out(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        wish = {"kind": "subscription", "profile": None}
        log_in(one, "a", replace(key_of("1"), organization_uuid="o"), **wish)
        found = log_in(one, "b", replace(key_of("2"), organization_uuid="o"), **wish)
        assert "same organisation as a" in found.notes[0]


async def test_a_new_base_url_is_noticed(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        wish = {"kind": "provider", "profile": None}
        log_in(one, "x", key_of("1"), base_url="http://127.0.0.1:9", **wish)
        assert log_in(one, "x", key_of("2"), base_url="http://127.0.0.1:8", **wish).moved
