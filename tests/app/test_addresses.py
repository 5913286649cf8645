"""Where each account's requests go, and with which secret."""

from __future__ import annotations

from maxpool.app.addresses import destinations_of, plans_of, references_of
from maxpool.config.model import Config

ENTRIES = [
    {"name": "key", "kind": "api_key", "secret": "env:KEY", "base_url": "http://127.0.0.1:9000"},
    {"name": "plan", "kind": "subscription"},
    {
        "name": "local",
        "kind": "provider",
        "base_url": "http://127.0.0.1:9001",
        "auth_header": "none",
    },
]


def test_every_account_has_its_origin_and_its_secret():
    config = Config.model_validate({"accounts": ENTRIES})
    ids = {entry.name: entry.stable_id for entry in config.accounts}
    where = destinations_of(config)
    assert where[ids["key"]].base_url == "http://127.0.0.1:9000"
    assert where[ids["plan"]].base_url == config.upstream.base_url
    assert references_of(config) == {
        ids["key"]: "env:KEY",
        ids["plan"]: f"vault:{ids['plan']}",
        ids["local"]: "",
    }
    assert plans_of(config) == {ids["plan"]}
