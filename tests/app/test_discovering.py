from __future__ import annotations

import pytest

from maxpool.app.discovering import add_section, ask_account, secret_of
from maxpool.app.vault import open_vault
from maxpool.config.load import load
from maxpool.errors import MaxpoolError, SecretError
from maxpool.ports import Secret
from maxpool.service.verifying import Verified
from maxpool.wire.credential import StoredCredential, encode
from tests.logins import world
from tests.rig import key

CONSOLE = key("console")


def entry(url: str, **keys: str) -> str:
    lines = {"name": "svc", "kind": "provider", "base_url": url, **keys}
    return "[[accounts]]\n" + "".join(f'{k} = "{v}"\n' for k, v in lines.items())


async def test_an_account_is_asked_with_its_own_credential(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        monkeypatch.setenv("SVC", CONSOLE.secret)
        text = one.config.read_text()
        one.config.write_text(text + entry(one.upstream_url, secret="env:SVC"))
        account, found = await ask_account(one.config, "svc")
        assert account.name == "svc"
        assert isinstance(found.finding("anthropic"), Verified)
        assert found.models


async def test_a_stored_credential_goes_to_its_own_origin_only(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        text = one.config.read_text()
        one.config.write_text(text + entry("https://elsewhere.example", id="svc-1"))
        config = load(one.config).config
        stored = StoredCredential(secret="sk-x", origin="https://here.example")
        open_vault(config).put("svc-1", Secret(encode(stored)))
        with pytest.raises(SecretError, match="leads elsewhere"):
            secret_of(config, config.accounts[-1], None)
        moved = text + entry("https://here.example", id="svc-1")
        one.config.write_text(moved)
        config = load(one.config).config
        found = secret_of(config, config.accounts[-1], None)
        assert found is not None
        assert found.reveal() == "sk-x"


async def test_a_provider_without_a_key_needs_none(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        one.config.write_text(one.config.read_text() + entry("http://127.0.0.1:9"))
        config = load(one.config).config
        assert secret_of(config, config.accounts[-1], None) is None


async def test_a_service_is_noted_with_the_format_it_was_found_to_speak(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        chosen, found = await add_section(one.config, "mine", one.upstream_url, "openai-chat")
        assert chosen == "openai-chat"
        assert found.of("anthropic").taken is None  # it answers 401 without a key
        section = load(one.config).config.providers["mine"]
        assert (section.format, section.base_url) == ("openai-chat", one.upstream_url)
        assert one.config.read_text().startswith("# mine\n")


@pytest.mark.parametrize(
    ("name", "url"), [("a b", "http://127.0.0.1:1"), ("x", "http://127.0.0.1:1")]
)
async def test_what_cannot_be_noted_changes_nothing(name, url, tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        before = one.config.read_text()
        with pytest.raises(MaxpoolError):
            await add_section(one.config, name, url, None)
        assert one.config.read_text() == before
