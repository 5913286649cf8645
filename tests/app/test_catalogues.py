from __future__ import annotations

import json

import pytest

from maxpool.adapters.upstream import HttpUpstream
from maxpool.app.catalogues import fetched, sources_of
from maxpool.config.model import Config
from maxpool.errors import MaxpoolError
from tests.rig import key, rig, until


async def test_a_catalogue_fills_in_what_an_account_does_not_say(tmp_path):
    path = tmp_path / "models.json"
    models = [{"id": "small", "context": 8000, "tier": "fast"}, {"id": "big", "context": 90_000}]
    path.write_text(json.dumps({"version": 1, "models": models}))
    entries = {"a": {"provider": "mine", "context": {"big": 50_000}}}
    sections = {"mine": {"catalogue": f"file:{path}"}}
    async with rig(key("a"), key("b"), entries=entries, providers=sections) as it:
        held = it.proxy.probing.catalogues.held["mine"]
        await until(lambda: held.catalogue is not None)
        found = {s.account.name: s.account for s in it.proxy.pool.states.values()}
        assert found["a"].context == {"small": 8000, "big": 50_000}
        assert found["a"].tiers == {"fast": "small"}
        assert found["b"].context == {}
        told = (await it.status())["jobs"]["catalogues"]["mine"]
        assert (told["models"], told["stale"]) == (2, False)


async def test_a_file_that_is_not_there_is_an_error_with_its_name(tmp_path):
    client = HttpUpstream()
    with pytest.raises(MaxpoolError, match="nowhere"):
        await fetched(client, f"file:{tmp_path / 'nowhere.json'}")
    await client.aclose()


def test_only_sections_with_a_catalogue_have_a_source():
    config = Config.model_validate(
        {"providers": {"a": {"catalogue": "https://x.example/m.json"}, "b": {}}}
    )
    assert sources_of(config) == {"a": "https://x.example/m.json"}
