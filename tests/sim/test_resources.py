import json

import pytest

from maxpool.sim.plans import SimAccount, SimSettings
from tests.sim.conftest import KEY, login

OTHER = "sk-ant-api03-dune"
PEOPLE = (SimAccount("cobalt", KEY, "api"), SimAccount("dune", OTHER, "api"))
PARAMS = {"model": "claude-sonnet-5-5", "max_tokens": 5, "messages": []}
ASKED = {"requests": [{"custom_id": "1", "params": PARAMS}, {"custom_id": "2", "params": PARAMS}]}


async def test_a_batch_runs_ends_and_tells_its_results(upstream, clock):
    settings = SimSettings(batch_takes_s=60.0)
    async with upstream(settings, PEOPLE, clock) as running:
        path = "/v1/messages/batches"
        made = (await running.client.post(path, headers=login(KEY), json=ASKED)).json()
        assert (made["processing_status"], made["request_counts"]["processing"]) == (
            "in_progress",
            2,
        )
        one = f"{path}/{made['id']}"
        early = await running.client.get(f"{one}/results", headers=login(KEY))
        assert early.status_code == 405
        clock.advance(61)
        ended = (await running.client.get(one, headers=login(KEY))).json()
        assert (ended["processing_status"], ended["request_counts"]["succeeded"]) == ("ended", 2)
        lines = (await running.client.get(ended["results_url"], headers=login(KEY))).text
        told = [json.loads(line) for line in lines.splitlines()]
        assert [one["custom_id"] for one in told] == ["1", "2"]


async def test_a_cancelled_batch_answers_nothing(upstream, clock):
    async with upstream(SimSettings(batch_takes_s=60.0), PEOPLE, clock) as running:
        path = "/v1/messages/batches"
        made = (await running.client.post(path, headers=login(KEY), json=ASKED)).json()
        one = f"{path}/{made['id']}"
        told = (await running.client.post(f"{one}/cancel", headers=login(KEY))).json()
        assert told["request_counts"]["canceled"] == 2
        results = (await running.client.get(f"{one}/results", headers=login(KEY))).text
        assert json.loads(results.splitlines()[0])["result"] == {"type": "canceled"}
        gone = (await running.client.delete(one, headers=login(KEY))).json()
        assert gone["type"] == "message_batch_deleted"


async def test_a_file_comes_back_as_it_was_sent_and_only_to_its_own_account(upstream):
    async with upstream(accounts=PEOPLE) as running:
        content = b"\r\n--odd--\r\n\r\n"
        sent = {"file": ("odd.bin", content, "image/png")}
        made = (await running.client.post("/v1/files", headers=login(KEY), files=sent)).json()
        assert (made["filename"], made["mime_type"], made["size_bytes"]) == (
            "odd.bin",
            "image/png",
            len(content),
        )
        path = f"/v1/files/{made['id']}"
        got = await running.client.get(f"{path}/content", headers=login(KEY))
        assert (got.content, got.headers["content-type"]) == (content, "image/png")
        foreign = await running.client.get(path, headers=login(OTHER))
        assert foreign.status_code == 404
        assert not (await running.client.get("/v1/files", headers=login(OTHER))).json()["data"]
        gone = (await running.client.delete(path, headers=login(KEY))).json()
        assert gone == {"id": made["id"], "type": "file_deleted"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/messages/batches", 400),
        ("POST", "/v1/files", 400),
        ("GET", "/v1/messages/batches/nobody", 404),
        ("DELETE", "/v1/files/nobody", 404),
        ("PUT", "/v1/files", 405),
        ("GET", "/v1/messages/batches?limit=0", 400),
        ("GET", "/v1/files?after_id=nobody", 404),
    ],
)
async def test_mistakes_are_told_in_the_apis_shape(upstream, method, path, status):
    async with upstream(accounts=PEOPLE) as running:
        got = await running.client.request(method, path, headers=login(KEY), json={})
        assert (got.status_code, got.json()["type"]) == (status, "error")


async def test_without_a_version_or_a_key_nothing_is_told(upstream):
    async with upstream(accounts=PEOPLE) as running:
        assert (await running.client.get("/v1/files")).status_code == 401
        bare = {"authorization": f"Bearer {KEY}"}
        assert (await running.client.get("/v1/files", headers=bare)).status_code == 400
