from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from maxpool.errors import RequestError, Uncarried
from maxpool.wire.responses_items import conversation
from maxpool.wire.responses_reasoning import sealed
from tests.wire.answers import THINKING
from tests.wire.oracle import blocks

PNG = "data:image/png;base64,aGk="
_KEYS = ("type", "role", "content", "text", "output", "name", "message", "user", "input_text")
_KINDS = ("function_call", "function_call_output", "custom_tool_call", "reasoning", "input_image")
WORD = st.sampled_from((*_KEYS, *_KINDS))
JUNK = st.recursive(
    st.none() | st.integers() | WORD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=5),
    max_leaves=12,
)
CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a": 1}'}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "seen"}
REASONING: dict[str, Any] = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "encrypted_content": sealed(THINKING["thinking"], THINKING["signature"]),
}


def say(role: str, *parts: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(parts)}


def part(text: str, kind: str = "input_text") -> dict[str, Any]:
    return {"type": kind, "text": text}


def turns(*items: Any) -> list[tuple[str, list[Any]]]:
    """Roles, and of each turn its texts and the types of its other blocks."""
    told = msgspec.json.decode(msgspec.json.encode(conversation(list(items)).turns))
    for turn in told:
        blocks(turn["content"])
    return [(t["role"], [b.get("text") or b["type"] for b in t["content"]]) for t in told]


def test_a_text_is_a_turn_of_the_user():
    assert conversation("hi").turns == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]}
    ]


def test_instructions_ahead_are_the_system_prompt_and_later_ones_keep_their_place():
    told = conversation(
        [
            say("developer", part("be brief")),
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "hi"},
            say("developer", part("stop soon")),
        ]
    )
    assert [block["text"] for block in told.system] == ["be brief", "be kind"]
    later = told.turns[0]["content"][1]["text"]
    assert (len(told.turns), later) == (1, "<system>\nstop soon\n</system>")


def test_instructions_alone_are_asked():
    assert turns(say("developer", part("write a poem"))) == [("user", ["write a poem"])]


def test_calls_and_results_alternate_as_messages_wants_them():
    second = CALL | {"call_id": "c2"}
    answered = OUTPUT | {"call_id": "c2"}
    words = say("assistant", part("I look", "output_text"))
    assert turns(say("user", part("q")), words, CALL, second, OUTPUT, answered) == [
        ("user", ["q"]),
        ("assistant", ["I look", "tool_use", "tool_use"]),
        ("user", ["tool_result", "tool_result"]),
    ]


def test_arguments_are_kept_as_they_were_written():
    told = conversation([CALL | {"arguments": '{"n": 1.50}'}]).turns[0]["content"][0]
    assert bytes(told["input"]) == b'{"n": 1.50}'


def test_free_text_calls_become_one_field():
    item = {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "a\nb"}
    use = conversation([item]).turns[0]["content"][0]
    assert (use["name"], use["input"]) == ("patch", {"input": "a\nb"})


def test_calls_find_their_tool_in_its_namespace():
    use = conversation([CALL | {"namespace": "agents"}]).turns[0]["content"][0]
    assert use["name"] == "agents__look"


def test_a_result_may_hold_pictures_and_documents():
    pdf = {
        "type": "input_file",
        "file_data": "data:application/pdf;base64,aGk=",
        "filename": "a.pdf",
    }
    image = {"type": "input_image", "image_url": PNG, "detail": "auto"}
    parts = [part("look:"), image, pdf]
    told = conversation([CALL, OUTPUT | {"output": parts}]).turns[1]["content"][0]
    assert [block["type"] for block in told["content"]] == ["text", "image", "document"]
    blocks([told])


def test_pictures_and_files_of_the_user():
    far = {"type": "input_image", "image_url": "https://example.com/a.png"}
    url = {"type": "input_file", "file_url": "https://example.com/a.pdf", "filename": "a.pdf"}
    told = conversation([say("user", far, url)]).turns[0]["content"]
    assert [block["source"]["type"] for block in told] == ["url", "url"]
    blocks(told)


def test_our_reasoning_gives_the_thinking_back_ahead_of_its_call():
    told = conversation([say("user", part("q")), REASONING, CALL, OUTPUT])
    assert told.turns[1]["content"][0] == THINKING


@pytest.mark.parametrize(
    "foreign", [{"encrypted_content": "gAAAAAB"}, {"encrypted_content": None}, {}]
)
def test_reasoning_of_another_provider_is_left_out(foreign: dict[str, Any]):
    item = {"type": "reasoning", "summary": []} | foreign
    assert turns(say("user", part("q")), item, CALL) == [
        ("user", ["q"]),
        ("assistant", ["tool_use"]),
    ]


def test_thinking_that_led_to_nothing_is_left_out():
    assert turns(say("user", part("q")), REASONING, say("user", part("go on"))) == [
        ("user", ["q"]),
        ("user", ["go on"]),
    ]


def test_searches_of_the_provider_are_left_out():
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}}
    said = say("assistant", part("found", "output_text"))
    assert turns(say("user", part("q")), search, said)[1] == ("assistant", ["found"])


def test_refusals_are_what_the_assistant_said():
    assert turns(say("assistant", {"type": "refusal", "refusal": "no"})) == [("assistant", ["no"])]


def test_a_prefix_that_the_client_marked_stays_marked():
    marked = part("long") | {"prompt_cache_breakpoint": {"mode": "explicit"}}
    told = conversation([say("user", marked)]).turns[0]["content"][0]
    assert told["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
        {"type": "computer_call"},
        {"type": "local_shell_call"},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": ["odd"]},
        say("user", {"type": "input_audio"}),
        say("user", {"type": "input_image", "file_id": "f"}),
        say("user", {"type": "input_image", "image_url": "data:image/bmp;base64,aGk="}),
        say("user", {"type": "input_file", "file_data": "aGk="}),
        say("developer", {"type": "input_image", "image_url": PNG}),
        OUTPUT | {"output": [{"type": "input_file", "file_id": "f"}]},
    ],
)
def test_what_messages_has_no_place_for_is_refused_by_its_place(item: dict[str, Any]):
    with pytest.raises(Uncarried, match=r"input\[0\]"):
        conversation([item])


@pytest.mark.parametrize(
    "given",
    [
        None,
        7,
        [],
        [7],
        "  ",
        [say("robot", part("x"))],
        [{"role": "user", "content": 7}],
        [say("user", 7)],
        [say("user", {"type": "input_text"})],
        [{"type": "function_call", "call_id": "c"}],
        [{"type": "custom_tool_call", "name": "f"}],
    ],
)
def test_what_no_client_sends_is_a_400_that_names_it(given: Any):
    with pytest.raises(RequestError, match="input"):
        conversation(given)


@over(st.lists(st.dictionaries(WORD, JUNK, max_size=5), max_size=3))
def test_junk_is_refused_and_never_breaks(items: list[Any]):
    with contextlib.suppress(RequestError):
        assert conversation(items).turns
