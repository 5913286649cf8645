"""wire/chat_messages: a Chat conversation as turns of Messages."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.errors import RequestError
from maxpool.wire.chat_messages import UNREAD_ARGUMENTS, call_id, conversation
from tests.wire import oracle

PNG = "data:image/png;base64,iVBORw0KGgo="


def taken(*messages: dict[str, Any]) -> tuple[list[Any], list[Any], list[str]]:
    """The system prompt, the turns and the names of what was lost."""
    told = conversation(list(messages), [])
    plain = json.loads(msgspec.json.encode([told.system, told.turns]))
    oracle.blocks(plain[0])
    for turn in plain[1]:
        oracle.blocks(turn["content"])
    return plain[0], plain[1], [one.what for one in told.lost]


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content} | more


def calls(*named: str) -> dict[str, Any]:
    made = [
        {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for name in named
    ]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(name: str, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{name}", "content": content}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def test_system_and_developer_prompts_ahead_become_the_system_prompt():  # P6
    system, turns, _ = taken(
        {"role": "system", "content": "one"},
        {"role": "developer", "content": [text("two"), text("three")]},
        user("hi"),
    )
    assert [block["text"] for block in system] == ["one", "two", "three"]
    assert turns == [{"role": "user", "content": [text("hi")]}]


def test_a_system_prompt_in_the_middle_keeps_its_place():  # P6
    _, turns, _ = taken(
        user("a"), {"role": "assistant", "content": "b"}, {"role": "system", "content": "now this"}
    )
    assert turns[2] == {"role": "user", "content": [text("<system>\nnow this\n</system>")]}


def test_a_request_of_nothing_but_instructions_is_the_users_turn():
    system, turns, _ = taken({"role": "developer", "content": "write a poem"})
    assert (system, turns[0]["role"]) == ([], "user")


def test_messages_of_one_role_in_a_row_are_one_turn():
    _, turns, _ = taken(user("a"), user("b"), {"role": "assistant", "content": "c"})
    assert [turn["role"] for turn in turns] == ["user", "assistant"]
    assert turns[0]["content"] == [text("a"), text("b")]


def test_results_of_parallel_calls_lead_one_turn_in_their_order():  # P6
    _, turns, _ = taken(
        user("go"),
        calls("f", "g"),
        result("g"),
        {"role": "system", "content": "hurry"},
        result("f"),
        user("and?"),
    )
    assert [block["name"] for block in turns[1]["content"]] == ["f", "g"]
    assert [block["type"] for block in turns[2]["content"]] == [
        "tool_result",
        "tool_result",
        "text",
        "text",
    ]
    assert [b["tool_use_id"] for b in turns[2]["content"][:2]] == ["call_g", "call_f"]


def test_a_tool_result_may_hold_an_image():  # P6
    content = [text("see"), {"type": "image_url", "image_url": {"url": PNG}}]
    _, turns, lost = taken(user("go"), calls("f"), result("f", content))
    assert lost == []
    held = turns[2]["content"][0]["content"]
    assert [block["type"] for block in held] == ["text", "image"]


def test_an_empty_result_has_no_content():
    _, turns, _ = taken(user("go"), calls("f"), result("f", ""))
    assert turns[2]["content"] == [{"type": "tool_result", "tool_use_id": "call_f"}]


def test_arguments_keep_their_digits_and_order():
    written = '{"b": 1.50, "a": 12345678901234567890123}'
    call = {"id": "x", "function": {"name": "f", "arguments": written}}
    told = conversation([{"role": "assistant", "tool_calls": [call]}], [])
    assert b'"input":{"b": 1.50, "a": 12345678901234567890123}' in msgspec.json.encode(told.turns)


@pytest.mark.parametrize("written", ["[1]", "{broken", "12"])
def test_arguments_that_are_no_object_are_kept_as_text(written):
    call = {"id": "x", "function": {"name": "f", "arguments": written}}
    _, turns, _ = taken({"role": "assistant", "tool_calls": [call]})
    assert turns[0]["content"][0]["input"] == {UNREAD_ARGUMENTS: written}


def test_a_call_and_its_result_find_each_other_under_any_id():
    odd = "functions.read:0"
    call = {"id": odd, "function": {"name": "read", "arguments": ""}}
    _, turns, _ = taken(
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": odd, "content": "ok"},
    )
    assert turns[0]["content"][0]["id"] == turns[1]["content"][0]["tool_use_id"] == call_id(odd)
    assert call_id(odd).startswith("call_")
    assert call_id("toolu_01") == "toolu_01"


def test_functions_of_the_older_api_are_calls_and_results():
    _, turns, _ = taken(
        user("go"),
        {"role": "assistant", "function_call": {"name": "f", "arguments": '{"a":1}'}},
        {"role": "function", "name": "f", "content": "done"},
    )
    assert turns[1]["content"][0]["input"] == {"a": 1}
    assert turns[2]["content"][0]["tool_use_id"] == turns[1]["content"][0]["id"]


def test_reasoning_of_earlier_answers_is_left_out():
    _, turns, lost = taken(
        user("a"), {"role": "assistant", "content": "b", "reasoning_content": "hm"}
    )
    assert turns[1]["content"] == [text("b")]
    assert lost == []


def test_a_refusal_of_earlier_is_text():
    parts = [{"type": "refusal", "refusal": "no"}]
    _, turns, _ = taken(user("a"), {"role": "assistant", "content": parts, "refusal": "never"})
    assert turns[1]["content"] == [text("no"), text("never")]


def test_a_participants_name_goes_ahead_of_the_words():
    assert taken(user("hi", name="Ann"))[1][0]["content"] == [text("Ann:"), text("hi")]


def test_blank_texts_are_left_out():
    _, turns, _ = taken(
        user("a"), {"role": "assistant", "content": ""}, user([text(" \n"), text("b")])
    )
    assert turns == [{"role": "user", "content": [text("a"), text("b")]}]


@pytest.mark.parametrize(
    ("url", "source"),
    [
        (PNG, {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}),
        (
            "data:image/jpg;base64,AA==",
            {"type": "base64", "media_type": "image/jpeg", "data": "AA=="},
        ),
        ("https://example.org/a.png", {"type": "url", "url": "https://example.org/a.png"}),
    ],
)
def test_images_by_data_and_by_url(url, source):
    part = {"type": "image_url", "image_url": {"url": url, "detail": "high"}}
    assert taken(user([part]))[1][0]["content"] == [{"type": "image", "source": source}]


def test_files_are_documents():
    notes = base64.b64encode(b"my notes").decode()
    pdf = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}
    plain = {"filename": "n.txt", "file_data": f"data:text/plain;charset=utf-8;base64,{notes}"}
    _, turns, lost = taken(user([{"type": "file", "file": one} for one in (pdf, plain)]))
    assert lost == []
    assert [block["title"] for block in turns[0]["content"]] == ["a.pdf", "n.txt"]
    assert turns[0]["content"][1]["source"]["data"] == "my notes"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_data": "data:application/zip;base64,AA=="}},
        {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA=="}},
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "video_url", "video_url": {"url": "https://example.org/v"}},
    ],
)
def test_parts_without_a_counterpart_are_named(part):
    _, _, lost = taken(user([text("see"), part]))
    assert len(lost) == 1
    assert lost[0].startswith("messages[0].content[1]")


def test_other_things_without_a_counterpart_are_named_too():
    custom = {"id": "c", "type": "custom", "custom": {"name": "x", "input": "y"}}
    picture = [{"type": "image_url", "image_url": {"url": PNG}}]
    _, _, lost = taken(
        {"role": "system", "content": picture},
        {"role": "assistant", "content": "a", "audio": {"id": "au"}, "tool_calls": [custom]},
    )
    assert lost == ["messages[0].content", "messages[1].audio", "messages[1].tool_calls[0]"]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": "x"},
        {"role": "assistant", "tool_calls": [7]},
        {"role": "assistant", "tool_calls": [{"id": "x", "function": {}}]},
        {"role": "function", "name": "never_called", "content": "x"},
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
        {"role": ["user"], "content": "x"},
        "hello",
    ],
)
def test_what_is_no_message_is_a_400_that_says_where(message):
    with pytest.raises(RequestError, match=r"messages\[0\]"):
        conversation([message], [])


def test_a_cache_mark_of_the_client_stays_on_its_block():
    part = text("long") | {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert taken(user([part]))[1][0]["content"] == [part]


WORDS = st.text(min_size=1).filter(lambda words: words.strip() != "")
NAMES = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
ROUND = st.tuples(WORDS, st.lists(NAMES, max_size=3), WORDS)


@given(st.lists(ROUND, min_size=1, max_size=5))
def test_texts_calls_and_their_order_survive(rounds):  # P6
    """Each round: the user speaks, the model calls tools at once, all answer, the model speaks."""
    sent: list[dict[str, Any]] = []
    wanted: list[tuple[str, str]] = []
    for number, (question, names, answer) in enumerate(rounds):
        sent.append(user(question))
        wanted.append(("text", question))
        made: list[dict[str, Any]] = [
            {"id": f"c{number}_{at}", "function": {"name": name, "arguments": '{"a":1}'}}
            for at, name in enumerate(names)
        ]
        if made:
            sent.append({"role": "assistant", "tool_calls": made})
            sent += [{"role": "tool", "tool_call_id": c["id"], "content": answer} for c in made]
            wanted += [("tool_use", c["id"]) for c in made]
            wanted += [("tool_result", c["id"]) for c in made]
        sent.append({"role": "assistant", "content": answer})
        wanted.append(("text", answer))
    _, turns, lost = taken(*sent)
    flat = [block for turn in turns for block in turn["content"]]
    keys = {"text": "text", "tool_use": "id", "tool_result": "tool_use_id"}
    assert [(block["type"], block[keys[block["type"]]]) for block in flat] == wanted
    roles = [turn["role"] for turn in turns]
    assert roles == ["user", "assistant"] * (len(roles) // 2)
    assert lost == []
