"""Model names while the server runs."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from maxpool.config.load import parse
from maxpool.core.lease import LeaseRequest
from maxpool.errors import RequestError
from maxpool.service.routes import Router, told_of
from tests.core.routed import GROQ, MAX, OPUS, granted, routed_pool
from tests.make import NOW
from tests.rig import MODEL, ask, rig

TEXT = """
[aliases.best]
targets = ["max/claude-opus-5-5", "groq/llama"]
[aliases.odd]
targets = ["groq/gone", "nowhere/x"]
[profiles.none]
models = ["x-*"]
"""


def router(text: str = TEXT) -> Router:
    found = Router(routed_pool(MAX, GROQ))
    found.follow(parse(text, Path("/x/config.toml")))
    return found


def test_a_request_gets_what_its_model_stands_for():
    it = router()
    assert it.routed(LeaseRequest(OPUS)).route is None
    assert it.routed(LeaseRequest("")).route is None
    route = it.routed(LeaseRequest("best")).route
    assert route is not None
    assert [t.label for t in route.targets] == [
        f"max/{OPUS}",
        "groq/llama",
    ]
    assert it.asked("best").keys() == {"route"}
    assert it.asked(OPUS) == {}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (LeaseRequest("account:nobody/m"), 404),
        (LeaseRequest("maxpool:nothing"), 404),
        (LeaseRequest("best", profile="none"), 403),
    ],
)
def test_a_name_for_nothing_is_refused_with_its_reason(asked, status):
    with pytest.raises(RequestError) as caught:
        router().routed(asked)
    assert caught.value.status == status


def test_a_target_that_nobody_offers_is_kept_and_told_once(caplog):
    caplog.set_level(logging.WARNING, "maxpool.models")
    it = router()
    it.follow(parse(TEXT, Path("/x/config.toml")))
    assert [record.getMessage().split(":")[1].split(" is ")[0] for record in caplog.records].count(
        " target 'groq/gone' of 'odd'"
    ) == 1
    route = it.routed(LeaseRequest("odd")).route
    assert route is not None
    assert [it.trouble(target) for target in route.targets] == ["stale", None]


def test_an_answer_tells_what_its_name_stood_for():
    it = router()
    lease = granted(it.pool, it.routed(LeaseRequest("best")), NOW)
    ((name, value),) = told_of(lease)
    assert (name, value) == (b"x-maxpool-route", b"best -> max/claude-opus-5-5")
    assert told_of(granted(it.pool, it.routed(LeaseRequest(OPUS)), NOW)) == []


async def test_an_alias_is_served_under_its_targets_name_and_listed():  # P1
    aliases = {"best": {"targets": [f"b/{MODEL}"]}, "gone": {"targets": ["c/claude-none-1"]}}
    sets = {"night": {"targets": [f"c/{MODEL}"]}}
    async with rig(aliases=aliases, sets=sets) as it:
        got = await it.post(ask(model="best"))
        assert got.whole
        assert got.account == "b"
        assert got.fields["x-maxpool-route"] == f"best -> b/{MODEL}"
        pinned = await it.post(ask(model=f"account:c/{MODEL}"))
        assert pinned.account == "c"
        unknown = await it.post(ask(model="account:x/y"))
        assert unknown.error == (404, "not_found_error")
        listed = json.loads((await it.get("/v1/models")).body)["data"]
        assert {"best", "maxpool", "maxpool:default", "maxpool:night"} <= {
            one["id"] for one in listed
        }
