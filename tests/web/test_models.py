from __future__ import annotations

from tests.rig import key, rig


async def test_the_list_has_the_apis_shape_and_one_page():
    async with rig(key("a", models=("m-2", "m-1"))) as it:
        got = (await it.get("/v1/models?limit=1000")).json
        names = [model["id"] for model in got["data"]]
        assert names == ["m-1", "m-2"]
        assert (got["first_id"], got["last_id"], got["has_more"]) == (names[0], names[-1], False)
        assert {model["type"] for model in got["data"]} == {"model"}


async def test_the_list_changes_nothing_and_costs_no_quota():
    async with rig() as it:
        await it.get("/v1/models")
        assert it.proxy.pool.leased == 0


async def test_a_client_of_openai_gets_its_own_shape():
    async with rig(key("a", models=("m-1",))) as it:
        for path, headers in (
            ("/v1/models", {"authorization": "Bearer x"}),
            ("/v1/models", {"user-agent": "OpenAI/Python 3.52.0"}),
            ("/openai/v1/models", {}),
            ("/openai/models", {"x-api-key": "k"}),
        ):
            got = (await it.get(path, headers)).json
            assert got["object"] == "list"
            assert "m-1" in [model["id"] for model in got["data"]]
        one = (await it.get("/openai/v1/models/m-1")).json
        assert (one["id"], one["object"]) == ("m-1", "model")
        missing = await it.get("/openai/v1/models/nobodys")
        assert (missing.status, set(missing.json)) == (404, {"error"})
        assert (await it.get("/anthropic/v1/models", {"authorization": "Bearer x"})).json[
            "has_more"
        ] is False
