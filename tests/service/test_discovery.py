import pytest

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.ports import Secret
from maxpool.service.discovery import Discovery, Spoken, discover, listed, takes
from maxpool.service.verifying import Refused, Unverified, Verified
from maxpool.sim.upstream import SimUpstream
from tests.rig import key


async def asked_of(path: str = "", secret: str = key("a").secret) -> Discovery:
    """What is found out about the simulated upstream, which speaks Messages and Chat."""
    sim, client = SimUpstream([key("a")]), HttpUpstream()
    server = Server(sim.app, graceful_s=0.0)
    await server.start()
    try:
        found = await discover(client, server.url + path, Secret(secret))
        assert not [seen for seen in sim.requests if seen.status == 200 and seen.method == "POST"]
        return found
    finally:
        await client.aclose()
        await server.stop(0.0)


@pytest.mark.parametrize("path", ["", "/v1"])
async def test_formats_and_models_are_found_without_spending_a_token(path):
    found = await asked_of(path)
    assert found.formats == ("anthropic", "openai-chat")
    assert found.best == "anthropic"
    assert "claude-sonnet-5-5" in found.models or found.models
    assert isinstance(found.finding("anthropic"), Verified)


async def test_a_wrong_key_is_refused():
    found = await asked_of(secret="sk-ant-api03-of-nobody-0123456789")
    assert isinstance(found.finding("anthropic"), Refused)
    assert found.best is None


async def test_who_cannot_be_reached_is_not_verified():
    client = HttpUpstream()
    try:
        found = await discover(client, "http://127.0.0.1:1", None)
    finally:
        await client.aclose()
    assert found.best is None
    verdict = found.finding("openai-chat")
    assert isinstance(verdict, Unverified)
    assert "could not be reached" in verdict.why


@pytest.mark.parametrize(
    ("status", "data", "taken"),
    [
        (400, {"error": "x"}, True),
        (422, {"detail": []}, True),
        (404, {"error": "model '' not found"}, True),
        (404, {"error": {"message": "Not Found"}}, False),
        (404, None, False),
        (405, {"detail": "Method Not Allowed"}, False),
        (200, None, False),
        (200, {"error": "Unexpected endpoint or method. (POST /api/generate)"}, False),
        (500, {"error": {"message": "'messages' is required"}}, True),
        (500, None, None),
        (401, {"error": {"message": "who are you"}}, None),
    ],
)
def test_how_an_empty_request_is_refused_tells_whether_the_path_takes_any(status, data, taken):
    assert takes(status, data) is taken


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}, ("a", "b")),
        ({"models": [{"name": "llama3:8b"}]}, ("llama3:8b",)),
        ({"data": [{"id": "a\x1b[2J"}, {"id": 7}, "x"]}, ()),
        ({"data": "a"}, None),
        ([], None),
    ],
)
def test_lists_of_models_in_every_shape(data, names):
    assert listed(200, data) == names
    assert listed(500, data) is None


def test_a_service_that_only_lists_models_is_taken_at_its_word():
    chat = Spoken(format="openai-chat", url="u", taken=None, models=("m",), models_status=200)
    nothing = Spoken(format="anthropic", url="u", taken=False, status=404)
    assert Discovery(base_url="b", spoken=(nothing, chat)).best == "openai-chat"
