from __future__ import annotations

import json

import msgspec
import pytest

from maxpool.wire.body import parse
from maxpool.wire.meter import Meter
from maxpool.wire.resources import (
    Merged,
    Place,
    at_home,
    item_id,
    made_by_message,
    made_by_stream,
    named_in_batch,
    page_of,
    place_of,
    told_of,
)
from maxpool.wire.sse import Scanner

MODEL = "claude-sonnet-5-5"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/v1/files", Place("files")),
        ("/v1/files/file_1", Place("files", "file_1", "one")),
        ("/v1/files/file_1/content", Place("files", "file_1", "content")),
        ("/v1/messages/batches", Place("batches")),
        ("/v1/messages/batches/m-1", Place("batches", "m-1", "one")),
        ("/v1/messages/batches/m-1/cancel", Place("batches", "m-1", "cancel")),
        ("/v1/messages/batches/m-1/results", Place("batches", "m-1", "results")),
    ],
)
def test_a_path_says_what_is_meant(path, place):
    assert place_of(path) == place


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/",
        "/v1/files/a/b",
        "/v1/files/a/cancel",
        "/v1/files/../keys",
        "/v1/files/a%2fb",
        "/v1/files/a\n",
        f"/v1/files/{'a' * 129}",
        "/v1/messages/batches/a/content",
        "/v1/messages/batchesx",
        "/v1/messages",
        "/x/v1/files",
    ],
)
def test_no_other_path_means_anything(path):  # R21
    assert place_of(path) is None


def asked(*content, **more) -> tuple[str, ...]:
    messages = [{"role": "user", "content": list(content)}]
    return parse(json.dumps({"model": MODEL, "messages": messages, **more}).encode()).resources


def test_a_request_names_files_in_its_blocks_and_inside_tool_results():  # R19
    document = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    image = {"type": "image", "source": {"type": "file", "file_id": "file_2"}}
    upload = {"type": "container_upload", "file_id": "file_3"}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    assert asked(document, result, upload, document) == ("file_1", "file_2", "file_3")


def test_it_names_its_container_and_the_answer_after_which_its_thread_goes_on():  # R19
    assert asked(container="container_1") == ("container_1",)
    thread = {"type": "continue", "previous_message_id": "msg_1"}
    assert asked(container={"id": "container_1", "skills": []}, thread=thread) == (
        "container_1",
        "msg_1",
    )
    assert asked(container={"skills": []}, thread={"type": "create"}) == ()


@pytest.mark.parametrize("odd", [7, None, [], {"file_id": 7}, "a b", "", {"file_id": "x" * 2000}])
def test_what_is_no_id_names_nothing(odd):
    image = {"type": "image", "source": odd}
    assert asked(image, {"type": "container_upload", "file_id": odd}, container=odd) == ()


def test_what_a_tool_made_before_binds_no_later_request():
    output = {"type": "bash_code_execution_output", "file_id": "file_9"}
    said = {"type": "text", "text": '{"type": "container_upload", "file_id": "file_8"}'}
    assert asked(output, said) == ()


def test_a_batch_names_what_its_requests_do():
    source = {"type": "file", "file_id": "file_1"}
    messages = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    said = [{"role": "user", "content": 'see {"file_id": "file_2"}'}]
    requests = [
        {"custom_id": "1", "params": {"model": MODEL, "messages": messages}},
        {"custom_id": "2", "params": {"model": MODEL, "messages": said, "container": "c_1"}},
    ]
    assert named_in_batch(json.dumps({"requests": requests}).encode()) == ("file_1", "c_1")
    assert named_in_batch(b'{"requests": 3}') == named_in_batch(b"{") == ()


def test_an_answer_tells_what_exists_and_what_no_longer_does():
    one = {"id": "file_1", "type": "file"}
    gone = {"id": "file_2", "type": "file_deleted"}
    assert told_of(json.dumps(one).encode()) == (["file_1"], [])
    assert told_of(json.dumps(gone).encode()) == ([], ["file_2"])
    assert told_of(json.dumps({"data": [one, {"id": 7}]}).encode()) == (["file_1"], [])
    assert told_of(b"<html>") == told_of(b'{"data": 5}') == ([], [])


def test_a_message_tells_its_container_and_as_part_of_a_thread_itself():
    body = json.dumps({"id": "msg_1", "container": {"id": "c_1"}}).encode()
    assert made_by_message(body, threaded=False) == ["c_1"]
    assert made_by_message(body, threaded=True) == ["c_1", "msg_1"]
    assert made_by_message(b'{"id": "msg_1", "container": null}', threaded=False) == []
    assert made_by_message(b"{", threaded=True) == []


def test_a_stream_tells_the_same():
    start = {"type": "message_start", "message": {"id": "msg_1"}}
    delta = {"type": "message_delta", "delta": {"container": {"id": "c_1"}}, "usage": {}}
    meter = Meter()
    for told in (start, delta):
        data = f"event: {told['type']}\ndata: {json.dumps(told)}\n\n".encode()
        for event in Scanner().feed(data):
            meter.feed(event)
    assert made_by_stream(meter, threaded=False) == ["c_1"]
    assert made_by_stream(meter, threaded=True) == ["c_1", "msg_1"]


def test_a_results_url_leads_here_and_no_other_byte_changes():
    url = "https://api.example.com/prefix/v1/messages/batches/m_1/results"
    body = b'{ "id":"m_1", "results_url" : "%s","x":"%s"}' % (url.encode(), url.encode())
    here = b"http://127.0.0.1:3456/v1/messages/batches/m_1/results"
    assert at_home(body, "http://127.0.0.1:3456") == body.replace(url.encode(), here, 1)
    for odd in (b'{"results_url":null}', b'{"results_url":"https://a.example/other"}'):
        assert at_home(odd, "http://127.0.0.1:3456") == odd


def test_a_page_is_read_in_both_ways_of_paging():
    old = page_of(b'{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}')
    new = page_of(b'{"data":[],"next_page":"page_x"}')
    assert old is not None
    assert new is not None
    assert [item_id(item) for item in old.data] == ["a"]
    assert (old.has_more, old.last_id, new.next_page) == (True, "a", "page_x")
    assert page_of(b'{"type":"error"}') is not None
    assert page_of(b"[1]") is None


def test_a_merged_page_keeps_each_entry_byte_for_byte():
    odd = b'{"id": "a",  "n": 1.50}'
    merged = Merged(data=[msgspec.Raw(odd), msgspec.Raw(b'{"id":"b"}')])
    assert odd in merged.body()
    told = json.loads(merged.body())
    assert (told["first_id"], told["last_id"], told["has_more"]) == ("a", "b", False)
    assert item_id(msgspec.Raw(b"[]")) == ""
