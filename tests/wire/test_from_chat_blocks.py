"""wire/from_chat_blocks: one block open at a time, whatever order its pieces come in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.from_chat_blocks import Blocks
from maxpool.wire.from_chat_parts import Asked
from tests.wire.chat_oracle import call, events


def blocks_of(*calls: Any) -> list[tuple[str, str, str]]:
    """(id, name, arguments) of each block, in the order in which they were opened."""
    blocks = Blocks(Asked("m", "r"))
    for delta in calls:
        blocks.call(delta["tool_calls"][0])
    assert blocks.close()
    found: list[tuple[str, str, str]] = []
    for one in events(b"".join(blocks.out)):
        if one["type"] == "content_block_start":
            found.append((one["content_block"]["id"], one["content_block"]["name"], ""))
        elif one["type"] == "content_block_delta":
            last = found[one["index"]]
            found[one["index"]] = (*last[:2], last[2] + one["delta"]["partial_json"])
    return found


def test_interleaved_calls_come_out_whole_and_in_order():  # P6
    made = blocks_of(
        call(0, "f", id="a"),
        call(1, "g", id="b"),
        call(0, args='{"x":'),
        call(1, args='{"y":'),
        call(0, args="1}"),
        call(1, args="2}"),
    )
    assert made == [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')]


def test_a_call_is_written_as_it_comes_once_the_one_before_is_whole():
    blocks = Blocks(Asked("m", "r"))
    for delta in (call(0, "f", "{}", id="a"), call(1, "g", '{"y"', id="b")):
        blocks.call(delta["tool_calls"][0])
    told = events(b"".join(blocks.out))
    assert [one["type"] for one in told][2:] == [
        *("content_block_stop", "content_block_start", "content_block_delta")
    ]


@pytest.mark.parametrize(
    "calls",
    [
        [call(None, "f", "{}", id="a"), call(None, "g", "{}", id="b")],
        [call(0, "f", "{}", id="a"), call(0, "g", "{}", id="b")],
        [call(0, "f", id="a"), call(0, args="{}"), call(1, "g", id="b"), call(1, args="{}")],
        [call(None, "f", id="a"), call(None, args="{}"), call(None, "g", "{}", id="b")],
        [call(0, "f", "{", id="a"), call(0, "f", "}", id="a"), call(1, "g", "{}", id="b")],
        [call(0, "f", "{}", id="a"), call(1, id="b"), call(1, "g"), call(1, args="{}")],
        [call(0, "f", "{}", id="a"), call(1, "g", "{}", id="b"), call(0, args="{}")],
    ],
    ids=["no index", "one index", "pieces", "no index, pieces", "repeated", "late", "again"],
)
def test_a_call_is_known_by_its_index_its_id_or_its_place(calls):
    assert blocks_of(*calls) == [("a", "f", "{}"), ("b", "g", "{}")]


def test_arguments_that_come_as_an_object_are_written_as_json():
    delta = {
        "tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]
    }
    assert blocks_of(delta) == [("a", "f", '{"x":1}')]


def test_ids_that_are_missing_odd_or_taken_are_replaced():
    made = blocks_of(
        call(0, "f", "{}"),
        call(1, "f", "{}", id="odd id!"),
        call(2, "f", "{}", id="a"),
        call(3, "f", "{}", id="a"),
    )
    ids = [one[0] for one in made]
    assert len(set(ids)) == 4
    assert ids[2] == "a"
    assert all(one.startswith("toolu_") for one in (ids[0], ids[1], ids[3]))


def test_a_call_without_a_name_never_becomes_a_block():
    blocks = Blocks(Asked("m", "r"))
    blocks.call({"index": 0, "id": "a", "function": {"arguments": "{}"}})
    assert (blocks.any, blocks.close(), blocks.out) == (True, False, [])


@st.composite
def pieces(draw: st.DrawFn) -> list[Any]:
    """Pieces of up to three calls, those of each in order, mixed in any way."""
    queues = []
    for index in range(draw(st.integers(1, 3))):
        text = json.dumps({"k": draw(st.text('a"}{', max_size=4))})
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        opening = call(index, f"f{index}", id=f"id{index}")
        queues.append([opening, *(call(index, args=part) for part in parts)])
    mixed = []
    while any(queues):
        mixed.append(draw(st.sampled_from([q for q in queues if q])).pop(0))
    return mixed


@given(pieces())
def test_however_pieces_are_mixed_each_call_gets_its_own(mixed):  # P6
    made = {one[0]: one for one in blocks_of(*mixed)}
    for index in {delta["tool_calls"][0]["index"] for delta in mixed}:
        own = [d["tool_calls"][0] for d in mixed if d["tool_calls"][0]["index"] == index]
        text = "".join(one["function"]["arguments"] for one in own)
        assert made[f"id{index}"] == (f"id{index}", f"f{index}", text)
