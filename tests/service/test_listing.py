from __future__ import annotations

import json

import pytest

from maxpool.errors import StreamCut
from maxpool.service.listing import PREFIX, Cursor, Heard, cursor_in
from maxpool.sim.faults import StatusFault
from maxpool.sim.problems import Problem
from tests.rig import JSON, Rig, key, rig

FORM = {"anthropic-version": "2023-06-01", "content-type": "multipart/form-data; boundary=x"}


async def upload(it: Rig, account: str) -> str:
    body = (
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nhi\r\n--x--\r\n'
    )
    got = await it.send("POST", "/v1/files", {**FORM, "x-maxpool-account": account}, body)
    assert (got.status, got.account) == (200, account), got.body
    return str(got.json["id"])


async def listed(it: Rig, query: str = "", **more: str) -> tuple[list[str], dict[str, object]]:
    got = await it.get(f"/v1/files{query}", {**JSON, **more})
    assert got.status == 200, got.body
    return [one["id"] for one in got.json["data"]], got.json


def test_a_cursor_comes_back_as_it_went():
    cursor = Cursor("a-1", "page", "page_ü/+=")
    assert cursor_in(cursor.text()) == cursor
    assert cursor.text().startswith("page_")


@pytest.mark.parametrize("text", ["", "page_x", PREFIX, f"{PREFIX}e30", f"{PREFIX}!!", "x" * 9])
def test_what_is_no_cursor_of_ours_is_none(text):
    assert cursor_in(text) is None


async def test_accounts_follow_each_other_in_the_owners_order():  # R19
    async with rig() as it:
        b, a, c = [await upload(it, name) for name in "bac"]
        assert (await listed(it))[0] == [a, b, c]


async def test_a_page_ends_where_it_is_full_and_goes_on_there():
    async with rig() as it:
        files = [await upload(it, name) for name in ("a", "a", "b", "c")]
        query, found = "?limit=2", []
        while True:
            names, told = await listed(it, query)
            found.append(names)
            assert told["has_more"] is (told["next_page"] is not None)
            if told["next_page"] is None:
                break
            query = f"?limit=2&page={told['next_page']}"
        assert found == [[files[1], files[0]], [files[2], files[3]]]


async def test_the_older_cursors_go_on_in_the_account_of_that_entry():
    async with rig() as it:
        a2, a1, b, c = [await upload(it, name) for name in ("a", "a", "b", "c")]
        assert (await listed(it, f"?after_id={a1}&limit=2"))[0] == [a2, b]
        assert (await listed(it, f"?after_id={b}"))[0] == [c]
        assert (await listed(it, f"?before_id={a2}"))[0] == [a1]


async def test_a_question_that_only_an_upstream_can_judge_is_handed_to_one():
    async with rig() as it:
        for query in ("?limit=0", "?limit=x", "?after_id=unknown", "?page=page_unknown"):
            got = await it.get(f"/v1/files{query}", JSON)
            assert got.status in (400, 404)
            assert len(it.sim.requests) == 1
            it.sim.requests.clear()


async def test_nobody_to_ask_and_one_account_alone_are_answered_as_any_request():
    async with rig(key("a")) as it:
        name = await upload(it, "a")
        assert (await listed(it))[0] == [name]
        await it.admin("POST", "/accounts/a/disable")
        got = await it.get("/v1/files", {**JSON, "x-maxpool-max-wait": "0"})
        assert got.error == (502, "api_error")


async def test_a_switch_to_one_account_lists_that_one():  # X9
    async with rig() as it:
        files = {name: await upload(it, name) for name in "abc"}
        only = {"x-maxpool-account": "b"}
        assert (await listed(it, **only))[0] == [files["b"]]


async def test_where_no_account_gives_a_page_the_first_ones_words_are_told():
    async with rig() as it:
        got = await it.get("/v1/files", {})  # no version header
        assert got.error == (400, "invalid_request_error")
        assert "anthropic-version" in got.json["error"]["message"]


async def test_an_upstream_whose_list_never_ends_is_left():
    endless = json.dumps({"data": [], "has_more": True, "last_id": "x"}).encode()
    async with rig() as it:
        answer = Problem(status=200, kind="", message="", body=endless)
        it.sim.inject(StatusFault(problem=answer), times=None, when=lambda _: True)
        got = await it.get("/v1/files", JSON)
        assert (got.status, len(it.sim.requests)) == (200, 64)


async def test_what_is_heard_is_no_page_unless_it_is_a_200():
    heard = Heard()
    await heard.send({"type": "http.response.start", "status": 503, "headers": ()})
    await heard.send({"type": "http.response.body", "body": b'{"data":[]}'})
    assert heard.page is None
    heard.status = 200
    assert heard.page is not None


async def test_a_page_without_end_is_dropped():
    heard = Heard(status=200)
    chunk = {"type": "http.response.body", "body": b"x" * (16 << 20)}
    await heard.send(chunk)
    await heard.send(chunk)
    with pytest.raises(StreamCut):
        await heard.send(chunk)
    assert (heard.body, heard.page) == (b"", None)
