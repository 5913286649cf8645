"""wire/to_chat_messages: turns as messages, nothing lost and nothing out of order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.errors import RequestError, Uncarried
from maxpool.wire.chat_options import Options
from maxpool.wire.to_chat import chat_request
from maxpool.wire.to_chat_messages import chat_id
from tests.wire import chat_oracle

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
URL = {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def use(call_id: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": given}


def result(call_id: str, content: Any = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def model(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def messages(*turns: Any, system: Any = None, **options: object) -> list[dict[str, Any]]:
    body = {"max_tokens": 1, "system": system, "messages": list(turns)}
    made = chat_request(json.dumps(body).encode(), model="big", options=options)
    found: list[dict[str, Any]] = chat_oracle.chat_request(made)["messages"]
    return found


def test_the_system_prompt_comes_first_without_what_bills_claude_code():
    blocks = [text("x-anthropic-billing-header: cc_version=1;"), text("You"), text("help")]
    assert messages(user(text("hi")), system=blocks)[0] == {
        "role": "system",
        "content": "You\n\nhelp",
    }
    assert messages(user(text("hi")), system="You")[0]["content"] == "You"
    assert messages(user(text("hi")), system=[])[0]["role"] == "user"


def test_instructions_between_turns_stay_where_they_are():  # P6
    turns = [user(text("a")), {"role": "system", "content": [text("later")]}, user(text("b"))]
    assert [m["content"] for m in messages(*turns, system="first")] == ["first", "a", "later", "b"]
    merged = messages(*turns, system="first", merge_system=True)
    assert [m["content"] for m in merged] == ["first\n\nlater", "a", "b"]
    roles = [m["role"] for m in messages(*turns, system="first", system_role="developer")]
    assert roles == ["developer", "user", "developer", "user"]


def test_text_alone_is_one_string_and_pictures_stand_in_parts():  # P6
    assert messages(user(text("a"), text("b")))[0]["content"] == "a\n\nb"
    assert messages(user(text("see"), PNG, text("and"), URL))[0]["content"] == [
        text("see"),
        PNG_PART,
        text("and"),
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
    ]


def test_parallel_calls_and_their_results_keep_their_order():  # P6
    calls = model(text("both"), use("t1", a=1), use("t2"))
    made = messages(user(text("go")), calls, user(result("t2", "two"), result("t1", "one")))
    assert made[1]["content"] == "both"
    assert [c["id"] for c in made[1]["tool_calls"]] == ["t1", "t2"]
    assert made[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert [(m["tool_call_id"], m["content"]) for m in made[2:]] == [("t2", "two"), ("t1", "one")]


def test_what_the_user_says_with_a_result_comes_behind_all_results():  # P6
    calls = model(use("t1"), use("t2"))
    made = messages(user(text("go")), calls, user(result("t1"), text("hurry"), result("t2")))
    assert [m["role"] for m in made] == ["user", "assistant", "tool", "tool", "user"]
    assert made[-1]["content"] == "hurry"


def test_pictures_of_results_follow_them_under_their_numbers():  # P6
    calls = model(use("t1"), use("t2"))
    results = user(result("t1", [text("look:"), PNG]), result("t2", [PNG, URL]), text("well?"))
    made = messages(user(text("go")), calls, results)
    assert [m["content"] for m in made[2:4]] == ["look:\n\n[image 1]", "[image 2]\n\n[image 3]"]
    parts = made[4]["content"]
    assert [p["text"] for p in parts if p["type"] == "text"] == [
        *("[image 1]", "[image 2]", "[image 3]"),
        "well?",
    ]
    assert parts[1] == PNG_PART


def test_a_failed_tool_is_told_in_words():  # P6
    turns = [user(text("go")), model(use("t1"))]
    assert messages(*turns, user(result("t1", "no", is_error=True)))[-1]["content"] == "Error: no"
    again = messages(*turns, user(result("t1", "Error: no", is_error=True)))
    assert again[-1]["content"] == "Error: no"
    nothing = {"type": "tool_result", "tool_use_id": "t1"}
    assert messages(*turns, user(nothing))[-1]["content"] == ""


def test_a_reference_to_a_deferred_tool_says_that_it_is_there():
    found = result("t1", [{"type": "tool_reference", "tool_name": "g"}])
    made = messages(user(text("go")), model(use("t1")), user(found))
    assert made[-1]["content"] == "The tool g is available."


def test_documents_of_text_are_read_out_and_files_go_where_they_are_taken():
    plain = {
        "type": "document",
        "title": "T",
        "context": "C",
        "source": {"type": "text", "data": "D"},
    }
    inner = {"type": "document", "source": {"type": "content", "content": [text("a"), PNG]}}
    pdf = {"type": "document", "title": "p.pdf", "source": PDF}
    assert messages(user(plain))[0]["content"] == "T\n\nC\n\nD"
    assert messages(user(inner))[0]["content"] == [text("a"), PNG_PART]
    file = {"filename": "p.pdf", "file_data": "data:application/pdf;base64,QUJD"}
    assert messages(user(pdf), files=True)[0]["content"] == [{"type": "file", "file": file}]
    found = {"type": "search_result", "title": "T", "source": "S", "content": [text("a")]}
    assert messages(user(found))[0]["content"] == "T\n\nS\n\na"


def test_thinking_is_left_out_unless_the_service_wants_its_own_back():
    signed = {"type": "thinking", "thinking": "secret", "signature": "abc"}
    unsigned = {"type": "thinking", "thinking": "hm", "signature": ""}
    hidden = {"type": "redacted_thinking", "data": "x"}
    turns = [user(text("a")), model(signed, unsigned, hidden, text("b")), user(text("c"))]
    assert messages(*turns)[1] == {"role": "assistant", "content": "b"}
    assert messages(*turns, return_reasoning=True)[1]["reasoning_content"] == "hm"
    alone = messages(user(text("a")), model(hidden), user(text("c")))
    assert [m["content"] for m in alone] == ["a", "c"]


def test_ids_of_calls_have_the_length_a_service_wants_and_still_belong_together():
    turns = [user(text("a")), model(use("toolu_01abc")), user(result("toolu_01abc"))]
    made = messages(*turns, tool_id_chars=9)
    short = made[1]["tool_calls"][0]["id"]
    assert made[2]["tool_call_id"] == short
    assert (len(short), short.isalnum()) == (9, True)
    assert chat_id("abcDEF123", Options(tool_id_chars=9)) == "abcDEF123"


@pytest.mark.parametrize(
    ("turn", "named"),
    [
        (user({"type": "document", "source": PDF}), "document: source base64"),
        (
            user({"type": "document", "source": {"type": "url", "url": "u"}}),
            "document: source url",
        ),
        (user({"type": "image", "source": {"type": "file"}}), "image: source file"),
        (
            user({"type": "document", "source": {"type": "text"}, "citations": {"enabled": True}}),
            "citations",
        ),
        (user({"type": "container_upload"}), "container_upload"),
        (model({"type": "server_tool_use"}), "server_tool_use"),
        (model({"type": "web_search_tool_result"}), "web_search_tool_result"),
        ({"role": "system", "content": [PNG]}, "system: image"),
    ],
)
def test_a_block_without_a_place_is_refused_by_its_kind(turn, named):  # P2
    with pytest.raises(Uncarried) as found:
        messages(turn)
    assert found.value.what == named


@pytest.mark.parametrize(
    "turn",
    [
        user(1),
        user({"type": "text"}),
        user({"type": "image", "source": {"type": "url"}}),
        user({"type": "tool_result"}),
        model({"type": "tool_use", "id": "t"}),
        model({"type": "tool_use", "name": "f"}),
        model("text"),
    ],
)
def test_a_block_that_is_none_is_told_so(turn):
    with pytest.raises(RequestError) as found:
        messages(turn)
    assert not isinstance(found.value, Uncarried)


WORDS = st.text("abc é\n", min_size=1, max_size=5)
SAID = st.lists(st.builds(text, WORDS) | st.just(PNG), min_size=1, max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for n in range(draw(st.integers(1, 4))):
        calls = [use(f"t{n}_{k}", a=draw(WORDS)) for k in range(draw(st.integers(0, 3)))]
        said = draw(st.lists(st.builds(text, WORDS), min_size=not calls, max_size=2))
        turns += [user(*draw(SAID)), model(*said, *calls)]
        if calls:
            results = [result(c["id"], draw(SAID)) for c in calls]
            turns.append(user(*results, *draw(st.lists(st.builds(text, WORDS), max_size=1))))
    return [*turns, user(text("end"))]


def pieces(value: Any) -> list[str]:
    """All texts, arguments and pictures of either form, in order."""
    if isinstance(value, list):
        return [piece for one in value for piece in pieces(one)]
    if isinstance(value, str):
        return [value]
    kind = value.get("type")
    if kind in ("image", "image_url"):
        return ["<image>"]
    if kind == "tool_use":
        return [json.dumps(value["input"], separators=(",", ":"), ensure_ascii=False)]
    if kind == "function":
        return [value["function"]["arguments"]]
    return [p for key in ("text", "content", "tool_calls") for p in pieces(value.get(key) or [])]


@given(conversations())
def test_nothing_that_was_said_is_lost_and_calls_stay_with_their_results(turns):  # P6
    made = messages(*turns)
    there = "\n".join(pieces(made))
    asked = [p for turn in turns for p in pieces(turn)]
    at = 0
    for piece in (p for turn in turns if turn["role"] == "assistant" for p in pieces(turn)):
        at = there.index(piece, at)  # what the model said stays in order
    assert there.count("<image>") == asked.count("<image>")
    assert all(piece in there for piece in asked)
