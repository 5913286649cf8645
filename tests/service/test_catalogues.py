from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.errors import MaxpoolError
from maxpool.service.catalogues import AGE_S, RETRY_S, Catalogues, download
from maxpool.sim.clock import HandClock
from maxpool.sim.upstream import SimUpstream
from tests.make import account
from tests.rig import key

GOOD = json.dumps({"version": 1, "models": [{"id": "m", "context": 8000}]}).encode()


@dataclass
class Shelf:
    """Somewhere catalogues lie, or do not."""

    answers: list[bytes | MaxpoolError] = field(default_factory=list)
    asked: int = 0
    changes: int = 0

    async def fetch(self, _source: str) -> bytes:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, MaxpoolError):
            raise answer
        return answer

    def change(self) -> None:
        self.changes += 1

    def catalogues(self, clock: HandClock) -> Catalogues:
        found = Catalogues(clock=clock, fetch=self.fetch, changed=self.change)
        found.follow({"mine": "file:m.json"})
        return found


@pytest.mark.parametrize("bad", [b"<html>", b" " * (5 << 20), MaxpoolError("it is gone")])
async def test_a_bad_one_leaves_the_last_good_one_in_force_and_is_called_stale(bad):
    clock, shelf = HandClock(), Shelf([GOOD, bad, GOOD])
    found = shelf.catalogues(clock)
    await found.tick()
    clock.advance(AGE_S)
    await found.tick()
    assert found.filled(account(provider="mine")).context == {"m": 8000}
    assert found.report()["mine"]["stale"]
    clock.advance(RETRY_S)
    await found.tick()
    assert not found.report()["mine"]["stale"]


async def test_it_is_read_again_after_its_age_and_only_news_is_told():
    clock, shelf = HandClock(), Shelf([GOOD])
    found = shelf.catalogues(clock)
    for _ in range(3):
        await found.tick()
    assert (shelf.asked, shelf.changes) == (1, 1)
    clock.advance(AGE_S)
    await found.tick()
    assert (shelf.asked, shelf.changes) == (2, 1)


async def test_a_source_that_moved_is_read_anew_and_nothing_of_the_old_one_holds():
    clock, shelf = HandClock(), Shelf([GOOD])
    found = shelf.catalogues(clock)
    await found.tick()
    found.follow({"mine": "file:other.json"})
    assert found.filled(account(provider="mine")).context == {}
    found.follow({})
    assert found.report() == {}


async def test_what_the_owner_said_of_a_model_stands():
    found = Shelf([GOOD]).catalogues(HandClock())
    await found.tick()
    own = account(provider="mine", context={"m": 1000}, tiers={"fast": "x"})
    assert found.filled(own) == own
    assert found.filled(account(provider="other")).context == {}


async def test_a_download_says_why_it_failed_and_sends_no_credential():
    sim, client = SimUpstream([key("a")]), HttpUpstream()
    server = Server(sim.app, graceful_s=0.0)
    await server.start()
    try:
        with pytest.raises(MaxpoolError, match="HTTP 4"):
            await download(client, f"{server.url}/v1/models")
        with pytest.raises(MaxpoolError, match="could not be reached"):
            await download(client, "http://127.0.0.1:1/m.json")
        names = {name.lower() for seen in sim.requests for name, _ in seen.headers}
        assert not names & {"authorization", "x-api-key", b"authorization", b"x-api-key"}
    finally:
        await client.aclose()
        await server.stop(0.0)
