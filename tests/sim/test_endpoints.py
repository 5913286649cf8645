import pytest

from maxpool.sim.plans import INFERENCE_SCOPE, SimAccount, SimSettings

TOKEN = "sk-ant-oat01-amber"
OAUTH = {
    "authorization": f"Bearer {TOKEN}",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "oauth-2025-04-20",
}


async def test_a_count_is_the_input_of_the_same_message(upstream) -> None:
    asked = {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "word " * 500}]}
    async with upstream() as running:
        counted = await running.client.post("/v1/messages/count_tokens", headers=OAUTH, json=asked)
        sent = await running.client.post(
            "/v1/messages", headers=OAUTH, json={**asked, "max_tokens": 9}
        )
        assert counted.json() == {"input_tokens": sent.json()["usage"]["input_tokens"]}
        assert running.sim.truth("amber").served == 1  # counting is free


async def test_a_count_for_a_missing_model_is_a_404(upstream) -> None:
    asked = {"model": "claude-none", "messages": [{"role": "user", "content": "x"}]}
    async with upstream() as running:
        answer = await running.client.post("/v1/messages/count_tokens", headers=OAUTH, json=asked)
        assert answer.status_code == 404
        assert "claude-none" in answer.json()["error"]["message"]


async def test_models_come_in_the_callers_shape(upstream) -> None:
    async with upstream() as running:
        ours = (await running.client.get("/v1/models?limit=1000", headers=OAUTH)).json()
        key = {"authorization": "Bearer sk-ant-api03-cobalt"}
        theirs = (await running.client.get("/v1/models", headers=key)).json()
    assert ours["has_more"] is False
    assert theirs["object"] == "list"
    assert {m["id"] for m in ours["data"]} == {m["id"] for m in theirs["data"]}


async def test_a_polled_usage_endpoint_limits_itself(upstream, clock) -> None:
    async with upstream(SimSettings(usage_gap_s=300.0), clock=clock) as running:
        assert (await running.client.get("/api/oauth/usage", headers=OAUTH)).status_code == 200
        clock.advance(100)
        early = await running.client.get("/api/oauth/usage", headers=OAUTH)
        assert (early.status_code, early.headers["retry-after"]) == (429, "200")
        clock.advance(200)
        assert (await running.client.get("/api/oauth/usage", headers=OAUTH)).status_code == 200


async def test_a_setup_token_sees_neither_usage_nor_profile(upstream) -> None:
    people = (SimAccount("amber", TOKEN, "pro", scopes=(INFERENCE_SCOPE,)),)
    async with upstream(accounts=people) as running:
        for path in ("/api/oauth/usage", "/api/oauth/profile"):
            answer = await running.client.get(path, headers=OAUTH)
            assert answer.status_code == 403
            assert "user:profile" in answer.json()["error"]["message"]


async def test_an_api_key_has_no_usage_report(upstream) -> None:
    async with upstream() as running:
        key = {"authorization": "Bearer sk-ant-api03-cobalt"}
        assert (await running.client.get("/api/oauth/usage", headers=key)).status_code == 403


async def test_the_profile_names_person_plan_and_organization(upstream) -> None:
    async with upstream() as running:
        answer = await running.client.get("/api/oauth/profile", headers=OAUTH)
    told = answer.json()
    assert told["organization"]["rate_limit_tier"] == "default_claude_max_20x"
    assert told["account"]["has_claude_max"] is True
    assert told["organization"]["uuid"] == answer.headers["anthropic-organization-id"]


@pytest.mark.parametrize("path", ["/", "/api/hello"])
async def test_anybody_may_say_hello(upstream, path) -> None:
    async with upstream() as running:
        assert (await running.client.head(path)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_every_other_path_is_a_404_in_the_apis_shape(upstream, method) -> None:
    async with upstream() as running:
        answer = await running.client.request(method, "/v1/complete", headers=OAUTH)
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "not_found_error"
        assert answer.json()["request_id"] == answer.headers["request-id"]
