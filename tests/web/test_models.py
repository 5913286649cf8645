from __future__ import annotations

from tests.rig import key, rig


async def test_the_list_has_the_apis_shape_and_one_page():
    async with rig(key("a", models=("m-2", "m-1"))) as it:
        got = (await it.get("/v1/models?limit=1000")).json
        assert [model["id"] for model in got["data"]] == ["m-1", "m-2"]
        assert (got["first_id"], got["last_id"], got["has_more"]) == ("m-1", "m-2", False)
        assert {model["type"] for model in got["data"]} == {"model"}


async def test_the_list_changes_nothing_and_costs_no_quota():
    async with rig() as it:
        await it.get("/v1/models")
        assert it.proxy.pool.leased == 0
