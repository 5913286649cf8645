"""Batches, files, containers and threads live in one account, and go back to it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from maxpool.adapters.store import SqliteStateStore
from maxpool.sim import faults
from maxpool.sim.plans import SimSettings
from tests.rig import JSON, MODEL, THREE, Rig, ask, key, rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TURNS: dict[str, Any] = {
    "pool": {"strategy": "round-robin"},
    "entries": {name: {"priority": 0} for name in "abc"},
}
ASKED: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hello"}],
}
REQUESTS: Any = [{"custom_id": "first", "params": ASKED}]
CODE: Any = {"type": "code_execution_20260120", "name": "code_execution"}


@asynccontextmanager
async def pair(**more: Any) -> AsyncIterator[tuple[Rig, anthropic.AsyncAnthropic]]:
    """A proxy whose accounts take turns, and the official SDK in front of it."""
    async with (
        rig(*more.pop("people", ()), **{**TURNS, **more}) as it,
        anthropic.AsyncAnthropic(base_url=it.url, api_key="x", max_retries=0) as client,
    ):
        yield it, client


async def made(it: Rig, client: anthropic.AsyncAnthropic, n: int = 3) -> dict[str, str | None]:
    """Files, and the account that each was made on."""
    found = {}
    for i in range(n):
        file = await client.files.upload(file=("x.txt", b"number %d" % i, "text/plain"))
        found[file.id] = it.sim.requests[-1].account
    return found


def last(it: Rig) -> str | None:
    return it.sim.requests[-1].account


async def test_a_batch_goes_back_to_the_account_that_made_it():  # R19
    async with pair() as (it, client):
        batches = {}
        for _ in range(3):
            batch = await client.messages.batches.create(requests=REQUESTS)
            batches[batch.id] = last(it)
        assert set(batches.values()) == {"a", "b", "c"}
        for name, account in batches.items():
            assert (await client.messages.batches.retrieve(name)).id == name
            assert last(it) == account
            results = [one async for one in await client.messages.batches.results(name)]
            assert [one.custom_id for one in results] == ["first"]
            assert last(it) == account
            assert (await client.messages.batches.delete(name)).id == name
            assert last(it) == account
            with pytest.raises(anthropic.NotFoundError):
                await client.messages.batches.retrieve(name)


async def test_results_are_fetched_through_this_server_and_never_past_it():  # R19, X5
    async with pair() as (it, client):
        batch = await client.messages.batches.create(requests=REQUESTS)
        assert batch.results_url == f"{it.url}/v1/messages/batches/{batch.id}/results"
        listed = [one async for one in client.messages.batches.list()]
        assert [one.results_url for one in listed] == [batch.results_url]


async def test_a_running_batch_is_cancelled_where_it_runs():  # R19
    async with pair(sim=SimSettings(batch_takes_s=3600.0)) as (it, client):
        await client.messages.batches.create(requests=REQUESTS)
        batch, account = await client.messages.batches.create(requests=REQUESTS), last(it)
        assert (batch.processing_status, batch.results_url) == ("in_progress", None)
        over = await client.messages.batches.cancel(batch.id)
        assert (over.processing_status, last(it)) == ("ended", account)


async def test_a_file_is_uploaded_used_downloaded_and_deleted_on_one_account():  # R19, X1
    async with pair() as (it, client):
        for name, account in (await made(it, client)).items():
            source = {"type": "file", "file_id": name}
            content: Any = [{"type": "document", "source": source}]
            turn: Any = {**ASKED, "messages": [{"role": "user", "content": content}]}
            assert (await client.messages.create(**turn)).content
            assert last(it) == account
            async with client.messages.stream(**turn) as stream:
                assert (await stream.get_final_message()).content
            assert last(it) == account
            await client.messages.count_tokens(model=MODEL, messages=turn["messages"])
            assert last(it) == account
            assert (await (await client.files.download(name)).read()).startswith(b"number")
            assert (await client.files.delete(name)).id == name
            assert last(it) == account
        assert not it.proxy.pool.owners.by_id


async def test_uploads_arrive_byte_for_byte():
    odd = bytes(range(256)) * 64 + b"\r\n--\r\n"
    async with pair() as (it, client):
        file = await client.files.upload(file=("x.bin", odd, "application/octet-stream"))
        assert file.size_bytes == len(odd)
        assert await (await client.files.download(file.id)).read() == odd
        sent = it.sim.requests[0].header("content-type") or ""
        assert sent.startswith("multipart/form-data")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_container_and_a_thread_go_on_where_they_began(stream):  # R19
    async with rig(**TURNS) as it:
        more: dict[str, Any] = {"tools": [CODE], "thread": {"type": "create"}}
        for _ in range(4):
            got = await it.post(ask(stream=stream, **more))
            assert got.whole, got.body
            container, message = _made(got)
            following = {"type": "continue", "previous_message_id": message}
            again = await it.post(ask(stream=stream, container=container, thread=following))
            assert (again.whole, again.account) == (True, got.account), again.body
            named = ask(stream=stream, container={"id": container})
            assert (await it.post(named)).account == got.account
        assert len(set(it.asked())) == 3


def _made(got: Any) -> tuple[str, str]:
    """The container and the id of an answer, streamed or not."""
    if not got.fields["content-type"].startswith("text/event-stream"):
        return got.json["container"]["id"], got.json["id"]
    events = [json.loads(line[6:]) for line in got.body.split(b"\n") if line.startswith(b"data: ")]
    start = next(e for e in events if e["type"] == "message_start")
    delta = next(e for e in events if e["type"] == "message_delta")
    return delta["delta"]["container"]["id"], start["message"]["id"]


async def test_whose_it_is_survives_a_restart(tmp_path):  # R19, S18
    async with pair(store=SqliteStateStore(tmp_path / "state.db")) as (it, client):
        files = await made(it, client)
        saved = it.proxy.pool.snapshot(it.proxy.clock.now())
    async with pair() as (it, client):
        it.proxy.pool.owners.load(saved["owned"])
        for name, account in files.items():
            with pytest.raises(anthropic.NotFoundError):  # this upstream is a new one
                await client.files.retrieve_metadata(name)
            assert [last(it), len(it.sim.requests)] == [account, 1]
            it.sim.requests.clear()
    store = SqliteStateStore(tmp_path / "state.db")
    assert (store.load() or {})["owned"] == saved["owned"]
    store.close()


async def test_what_nobody_remembers_is_looked_for_and_then_known():  # R19
    async with pair() as (it, client):
        files = await made(it, client)
        it.proxy.pool.owners.by_id.clear()
        for name, account in files.items():
            assert (await client.files.retrieve_metadata(name)).id == name
            assert last(it) == account
            it.sim.requests.clear()
            await client.files.retrieve_metadata(name)
            assert [seen.account for seen in it.sim.requests] == [account]


async def test_it_is_looked_for_on_more_accounts_than_a_request_has_sends():  # R19
    people = tuple(key(f"k{n}") for n in range(9))
    async with rig(*people) as it:
        got = await it.get("/v1/files/file_nowhere", JSON)
        assert got.error == (404, "not_found_error")
        assert len(it.sim.requests) == 9
        assert "maxpool" not in got.json["error"]["message"], "the upstream's own words"


async def test_a_message_that_names_an_unknown_file_finds_its_account():  # R19
    async with pair() as (it, client):
        files = await made(it, client)
        it.proxy.pool.owners.by_id.clear()
        for name, account in files.items():
            source = {"type": "file", "file_id": name}
            content = [{"type": "image", "source": source}]
            got = await it.post(ask(messages=[{"role": "user", "content": content}]))
            assert (got.whole, got.account) == (True, account), got.body


async def test_one_that_cannot_be_asked_now_may_have_it():  # R19
    async with pair() as (it, client):
        it.sim.inject(faults.status(503), "b", times=None, when=lambda seen: seen.account == "b")
        got = await it.get("/v1/files/file_nowhere", JSON)
        assert got.error == (503, "overloaded_error")
        assert "b (failed)" in got.json["error"]["message"]
        it.sim.clear_faults()
        await it.admin("POST", "/accounts/b/disable")
        got = await it.get("/v1/files/file_nowhere", JSON)
        assert got.error == (404, "not_found_error")
        del client


async def test_what_a_disabled_account_holds_is_said_to_be_there():  # R19
    async with pair() as (it, client):
        (name, account), *_ = (await made(it, client, 1)).items()
        await it.admin("POST", f"/accounts/{account}/disable")
        got = await it.get(f"/v1/files/{name}", JSON)
        assert got.error == (404, "not_found_error")
        assert f"maxpool accounts enable '{account}'" in got.json["error"]["message"]
        await it.admin("POST", f"/accounts/{account}/enable")
        assert (await client.files.retrieve_metadata(name)).id == name


async def test_what_a_removed_account_held_is_said_to_have_been_there():  # R19
    async with pair() as (it, client):
        (name, account), *_ = (await made(it, client, 1)).items()
        assert account is not None
        (known,) = [i for i, s in it.proxy.pool.states.items() if s.account.name == account]
        it.proxy.pool.remove(known, it.proxy.clock.now())
        got = await it.get(f"/v1/files/{name}", JSON)
        assert got.error == (404, "not_found_error")
        assert f"made on the account '{account}', which was removed" in got.json["error"]["message"]
        source = {"type": "file", "file_id": name}
        content = [{"type": "image", "source": source}]
        params = {**ASKED, "messages": [{"role": "user", "content": content}]}
        requests: Any = [{"custom_id": "1", "params": params}]
        with pytest.raises(anthropic.NotFoundError, match="removed"):
            await client.messages.batches.create(requests=requests)


async def test_nothing_is_ever_made_twice():  # R19
    for fault in (faults.status(500), faults.CutFault(after=0), faults.overloaded()):
        async with pair() as (it, client):
            it.sim.inject(fault, None, times=None, when=lambda seen: seen.method == "POST")
            with pytest.raises(anthropic.APIError):
                await client.messages.batches.create(requests=REQUESTS)
            with pytest.raises(anthropic.APIError):
                await client.files.upload(file=("x.txt", b"x", "text/plain"))
            assert len(it.sim.requests) == 2


async def test_no_request_can_use_what_two_accounts_hold():  # R19
    async with pair() as (it, client):
        files = list(await made(it, client, 2))
        content = [{"type": "image", "source": {"type": "file", "file_id": n}} for n in files]
        before = len(it.sim.requests)
        got = await it.post(ask(messages=[{"role": "user", "content": content}]))
        assert got.error == (404, "not_found_error")
        assert all(n in got.json["error"]["message"] for n in files)
        assert len(it.sim.requests) == before


async def test_a_switch_to_another_account_never_widens_what_is_there():  # X9, R19
    async with pair() as (it, client):
        files = await made(it, client, 1)
        ((name, account),) = files.items()
        other = next(n for n in "abc" if n != account)
        before = len(it.sim.requests)
        got = await it.get(f"/v1/files/{name}", {**JSON, "x-maxpool-account": other})
        assert got.error == (404, "not_found_error")
        assert len(it.sim.requests) == before
        same = await it.get(f"/v1/files/{name}", {**JSON, "x-maxpool-account": str(account)})
        assert same.status == 200


async def test_an_account_that_is_used_up_still_shows_what_it_holds():  # R19
    async with pair(queue={"max_wait": 0, "max_wait_json": 0}) as (it, client):
        ((name, account),) = (await made(it, client, 1)).items()
        it.sim.inject(faults.credit_balance(), account, times=1)
        for _ in range(3):
            await it.post(ask())
        assert (await it.state(str(account)))["unavailable"]["reason"] == "billing"
        assert (await client.files.retrieve_metadata(name)).id == name
        content = [{"type": "image", "source": {"type": "file", "file_id": name}}]
        got = await it.post(ask(messages=[{"role": "user", "content": content}]))
        assert got.status == 502, "work it does not do"


async def test_lists_hold_what_all_accounts_have_page_by_page():  # R19
    async with pair() as (it, client):
        files = await made(it, client, 7)
        batches = {(await client.messages.batches.create(requests=REQUESTS)).id for _ in range(5)}
        for limit in (1, 2, 3, 20):
            paged = [one.id async for one in client.files.list(limit=limit)]
            assert sorted(paged) == sorted(files)
            found = [one.id async for one in client.messages.batches.list(limit=limit)]
            assert sorted(found) == sorted(batches)
        some = list(files)[2:6]
        assert {one.id async for one in client.files.list(ids=some)} == set(some)


async def test_a_list_names_the_account_that_it_lacks():  # R19
    async with pair() as (it, client):
        files = await made(it, client, 3)
        it.sim.inject(faults.plain_forbidden(), "b", times=None, when=lambda _: True)
        got = await it.get("/v1/files", JSON)
        listed = {one["id"] for one in got.json["data"]}
        assert listed == {n for n, account in files.items() if account != "b"}
        assert got.fields["x-maxpool-skipped"].startswith("b:")
        del client


async def test_two_keys_of_one_workspace_show_each_thing_once():  # R19
    people = (key("a", organization="one"), key("b", organization="one"), key("c"))
    async with pair(people=people) as (it, client):
        files = await made(it, client, 6)
        it.proxy.pool.owners.by_id.clear()
        paged = [one.id async for one in client.files.list(limit=2)]
        assert sorted(paged) == sorted(files)


async def test_other_services_are_never_asked_for_them():  # R19
    other = key("other")
    entries = {"other": {"kind": "provider", "base_url": "http://127.0.0.1:9"}, **TURNS["entries"]}
    async with rig(*THREE, other, entries=entries) as it:
        assert (await it.get("/v1/files/file_nowhere", JSON)).status == 404
        assert (await it.get("/v1/files", JSON)).fields.get("x-maxpool-skipped") is None


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/files/file_1", "GET, DELETE"),
        ("DELETE", "/v1/files", "GET, POST"),
        ("GET", "/v1/messages/batches/b_1/cancel", "POST"),
    ],
)
async def test_a_method_nobody_takes_goes_nowhere(method, path, allowed):  # R21
    async with rig() as it:
        got = await it.send(method, path, JSON, b"{}")
        assert got.error == (405, "invalid_request_error")
        assert got.fields["allow"] == allowed
        assert not it.sim.requests


async def test_a_form_of_a_web_page_uploads_nothing():  # X1
    form = {"content-type": "multipart/form-data; boundary=x"}
    async with rig() as it:
        for path in ("/v1/files", "/v1/messages", "/v1/messages/batches"):
            versioned = {**form, **({} if path == "/v1/files" else {"anthropic-version": "x"})}
            got = await it.send("POST", path, versioned, b"--x--")
            assert got.error == (415, "invalid_request_error")
        assert not it.sim.requests
