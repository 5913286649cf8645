from __future__ import annotations

from typing import Any

import pytest

from maxpool.wire.responses_events import Events
from maxpool.wire.responses_parts import (
    COMPLETED,
    Call,
    Delta,
    FreeCall,
    Growing,
    Message,
    Place,
    Reasoning,
    Search,
    decode_delta,
)
from maxpool.wire.responses_reasoning import opened
from maxpool.wire.responses_tools import Named
from maxpool.wire.sse import Scanner


@pytest.fixture
def place() -> Place:
    return Place(Events(), "x_1", 3)


def names(place: Place) -> list[str]:
    events = Scanner().feed(place.events.taken())
    return [event.name.removeprefix("response.") for event in events]


def fed(part: Growing, *deltas: Delta) -> dict[str, Any]:
    for delta in deltas:
        part.feed(delta)
    return part.close(COMPLETED)


def test_an_item_is_announced_before_anything_is_told_of_it(place: Place):
    Call(place, Named("f"), "c")
    assert names(place) == ["output_item.added"]


def test_a_call_is_its_pieces_put_together(place: Place):
    item = fed(Call(place, Named("f"), "c"), Delta(partial_json='{"a"'), Delta(partial_json=": 1}"))
    assert (item["arguments"], item["call_id"], item["status"]) == ('{"a": 1}', "c", "completed")


def test_a_call_without_arguments_has_an_empty_object(place: Place):
    assert fed(Call(place, Named("f"), "c"), Delta())["arguments"] == "{}"
    assert "function_call_arguments.delta" in names(place)


def test_free_text_is_told_without_its_json(place: Place):
    item = fed(
        FreeCall(place, Named("p", free=True), "c"), Delta(partial_json='{"input": "a\\nb"}')
    )
    assert item["input"] == "a\nb"
    assert names(place) == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]


def test_an_empty_text_is_a_part_all_the_same(place: Place):
    message = Message(place)
    message.begin()
    assert [part["text"] for part in fed(message)["content"]] == [""]


def test_thinking_that_is_not_shown_is_kept_in_the_envelope(place: Place):
    part = Reasoning(place, "thinking", "", shown=False)
    item = fed(part, Delta(thinking="a"), Delta(thinking="b"), Delta(signature="s"))
    assert item["summary"] == []
    block = {"type": "thinking", "thinking": "ab", "signature": "s"}
    assert opened(item["encrypted_content"]) == block
    assert names(place) == ["output_item.added", "output_item.done"]


def test_unsigned_thinking_has_no_envelope(place: Place):
    item = fed(Reasoning(place, "thinking", "", shown=True), Delta(thinking="a"))
    assert "encrypted_content" not in item
    assert item["summary"][0]["text"] == "a"


def test_a_search_whose_query_is_broken_has_none(place: Place):
    search = Search(place, sources=True)
    search.found({"type": "web_search_tool_result_error"})
    item = fed(search, Delta(partial_json='{"query'))
    assert item["action"] == {"type": "search", "query": "", "sources": []}


def test_deltas_of_unknown_kinds_add_nothing(place: Place):
    message = Message(place)
    message.begin()
    odd = decode_delta(b'{"delta": {"type": "new_delta", "new": 1}}').delta
    assert fed(message, odd)["content"][0]["text"] == ""
