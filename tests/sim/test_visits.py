import gzip
import json

import httpx2
import pytest

from maxpool.sim import faults
from maxpool.sim.faults import CutFault, HeaderFault
from maxpool.sim.plans import SimSettings
from tests.sim.conftest import body, login


async def test_every_answer_has_an_id_and_a_known_callers_organization(upstream) -> None:
    async with upstream() as running:
        good, bad = await running.ask(), await running.ask("sk-ant-api03-nobody")
    assert good.headers["request-id"].startswith("req_")
    assert good.headers["request-id"] != bad.headers["request-id"]
    assert "anthropic-organization-id" in good.headers
    assert "anthropic-organization-id" not in bad.headers


async def test_requests_are_kept_with_what_became_of_them(upstream) -> None:
    async with upstream() as running:
        await running.ask()
        await running.ask("sk-ant-api03-nobody")
        kept = list(running.sim.requests)
    assert [(r.account, r.status) for r in kept] == [("amber", 200), (None, 401)]
    assert kept[0].model == "claude-sonnet-5-5"
    assert kept[0].header("anthropic-version") == "2023-06-01"


async def test_a_compressed_request_is_read_and_a_broken_one_refused(upstream) -> None:
    packed = gzip.compress(json.dumps(body()).encode())
    headers = {**login(), "content-encoding": "gzip"}
    async with upstream() as running:
        post = running.client.post
        assert (await post("/v1/messages", headers=headers, content=packed)).status_code == 200
        assert (await post("/v1/messages", headers=headers, content=b"nope")).status_code == 400
        odd = {**headers, "content-encoding": "zip"}
        assert (await post("/v1/messages", headers=odd, content=packed)).status_code == 415


async def test_a_body_above_the_limit_is_too_large(upstream) -> None:
    async with upstream(SimSettings(body_limit_bytes=100)) as running:
        answer = await running.ask(text="x" * 200)
    assert answer.status_code == 413
    assert "Request too large (max 32MB)" in answer.json()["error"]["message"]


async def test_a_demanded_error_goes_out_byte_for_byte(upstream) -> None:
    exact = b'{"type" : "error", "odd": [1 ,2]}'
    async with upstream() as running:
        running.sim.inject(faults.bad_request(exact))
        answer = await running.ask()
    assert (answer.status_code, answer.content) == (400, exact)


@pytest.mark.parametrize("wanted", [True, False])
async def test_limit_headers_stand_on_a_demanded_error_only_when_asked_for(
    upstream, wanted
) -> None:
    problem = faults.status(500).problem
    async with upstream() as running:
        running.sim.inject(faults.StatusFault(problem=problem, rate_headers=wanted))
        answer = await running.ask()
    assert ("anthropic-ratelimit-unified-status" in answer.headers) is wanted


async def test_odd_headers_reach_even_an_error(upstream) -> None:
    odd = HeaderFault(headers=(("anthropic-ratelimit-unified-5h-utilization", "NaN"),))
    async with upstream() as running:
        running.sim.inject(odd)
        answer = await running.ask(model="claude-none")
    assert answer.status_code == 404
    assert answer.headers["anthropic-ratelimit-unified-5h-utilization"] == "NaN"


async def test_a_dropped_request_has_no_status(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(CutFault(rst=False))
        with pytest.raises(httpx2.RemoteProtocolError):
            await running.ask()
        assert running.sim.requests[-1].status is None
