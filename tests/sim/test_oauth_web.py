from urllib.parse import parse_qs, urlsplit

from maxpool.sim import faults
from maxpool.sim.oauth import s256
from maxpool.sim.plans import SimSettings
from tests.sim.conftest import Running

BACK = "http://localhost:7/callback"


def query(**changes: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": "maxpool-demo",
        "redirect_uri": BACK,
        "state": "st",
        "code_challenge": s256("verifier"),
        "code_challenge_method": "S256",
        **changes,
    }


async def code_of(running: Running, **changes: str) -> str:
    answer = await running.client.get(
        "/oauth/authorize", params=query(person="amber", **changes), follow_redirects=False
    )
    assert answer.status_code == 302
    found = parse_qs(urlsplit(answer.headers["location"]).query)
    assert found["state"] == ["st"]
    return found["code"][0]


def grant(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": "maxpool-demo",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": "verifier",
        "state": "st",
    }


async def test_a_login_runs_from_page_to_usage_report(upstream) -> None:
    async with upstream() as running:
        pair = (
            await running.client.post("/v1/oauth/token", json=grant(await code_of(running)))
        ).json()
        headers = {
            "authorization": f"Bearer {pair['access_token']}",
            "anthropic-beta": "oauth-2025-04-20",
        }
        usage = await running.client.get("/api/oauth/usage", headers=headers)
        assert usage.json()["five_hour"]["utilization"] == 0
        assert running.sim.requests[-1].account == "amber"
        await running.client.post("/v1/oauth/token/revoke", json={"token": pair["refresh_token"]})
        revoked = await running.client.get("/api/oauth/usage", headers=headers)
        assert revoked.status_code == 403


async def test_without_a_person_the_page_offers_them_all(upstream) -> None:
    async with upstream() as running:
        page = await running.client.get("/oauth/authorize", params=query(state='"><b>'))
        assert page.status_code == 200
        assert "person=amber" in page.text
        assert "cobalt" not in page.text  # an API key is nobody who signs in
        assert "<b>" not in page.text


async def test_nobody_is_sent_to_a_foreign_page(upstream) -> None:
    async with upstream() as running:
        for changes in ({"redirect_uri": "https://elsewhere.invalid/cb"}, {"client_id": "x"}):
            page = await running.client.get(
                "/oauth/authorize", params=query(person="amber", **changes)
            )
            assert page.status_code == 400
        page = await running.client.get("/oauth/authorize", params=query(person="nobody"))
        assert page.status_code == 400


async def test_the_paste_page_shows_code_and_state(upstream) -> None:
    async with upstream() as running:
        page = await running.client.get("/oauth/code/callback?code=c1&state=%3Cs%3E")
        assert "c1#&lt;s&gt;" in page.text


async def test_the_token_endpoint_takes_json_only_unless_told(upstream) -> None:
    async with upstream() as running:
        form = await running.client.post("/v1/oauth/token", data=grant(await code_of(running)))
        assert form.status_code == 400
        assert form.json()["error"] == "invalid_request"
    async with upstream(SimSettings(token_forms=True)) as running:
        form = await running.client.post("/v1/oauth/token", data=grant(await code_of(running)))
        assert form.status_code == 200


async def test_a_refused_refresh_says_invalid_grant(upstream) -> None:
    async with upstream() as running:
        body = {"grant_type": "refresh_token", "client_id": "maxpool-demo", "refresh_token": "x"}
        answer = await running.client.post("/v1/oauth/token", json=body)
        assert answer.status_code == 400
        assert answer.json() == {
            "error": "invalid_grant",
            "error_description": "Refresh token not found or invalid",
        }


async def test_the_token_endpoint_fails_on_demand_for_one_person(upstream) -> None:
    async with upstream() as running:
        body = grant(await code_of(running))
        running.sim.inject(
            faults.status(503), account="amber", when=lambda r: r.path == "/v1/oauth/token"
        )
        assert (await running.client.post("/v1/oauth/token", json=body)).status_code == 503
        assert (await running.client.post("/v1/oauth/token", json=body)).status_code == 200
