from __future__ import annotations

from typing import Any

from maxpool.wire.cachemarks import mark

TOOL = {"name": "look", "input_schema": {"type": "object"}}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words} | more


def conversation(turns: int, **more: Any) -> dict[str, Any]:
    """That many turns of the user, with an answer between any two."""
    messages: list[dict[str, Any]] = []
    for number in range(turns):
        messages.append({"role": "user", "content": [text(f"question {number}")]})
        messages.append({"role": "assistant", "content": [text(f"answer {number}")]})
    return {"model": "m", "messages": messages[:-1], **more}


def marked(body: dict[str, Any]) -> list[str]:
    blocks = [*body.get("tools", []), *body.get("system", [])]
    blocks += [block for turn in body["messages"] for block in turn["content"]]
    return [block.get("text") or block["name"] for block in blocks if "cache_control" in block]


def test_the_system_prompt_and_the_last_two_turns_of_the_user_are_marked():
    body = conversation(3, system=[text("be"), text("brief")], tools=[dict(TOOL)])
    mark(body)
    assert marked(body) == ["brief", "question 1", "question 2"]


def test_the_end_of_one_request_is_marked_in_the_next_one():
    """Else a turn of more than twenty blocks would lose what the request before has written."""
    first, second = conversation(2), conversation(3)
    mark(first)
    mark(second)
    assert marked(first)[-1] in marked(second)


def test_without_a_system_prompt_the_tools_are_marked():
    body = conversation(1, tools=[dict(TOOL)])
    mark(body)
    assert marked(body) == ["look", "question 0"]


def test_a_first_message_without_tools_pays_no_write():
    body = conversation(1)
    mark(body)
    assert marked(body) == []


def test_plain_texts_become_blocks_where_they_are_marked():
    body = conversation(2, system="be brief")
    body["messages"][-1]["content"] = "last"
    mark(body)
    assert marked(body) == ["be brief", "question 0", "last"]


def test_thinking_is_never_marked():
    body = conversation(2)
    body["messages"][-1]["content"].append({"type": "thinking", "thinking": "", "signature": "s"})
    mark(body)
    assert marked(body) == ["question 0", "question 1"]


def test_the_clients_own_marks_stay_and_no_more_than_the_api_takes():
    body = conversation(6)
    for turn in body["messages"][::2]:
        turn["content"][0]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    mark(body)
    assert marked(body) == [f"question {number}" for number in (2, 3, 4, 5)]


def test_marking_twice_changes_nothing():
    body = conversation(3, system=[text("be brief")])
    mark(body)
    once = repr(body)
    mark(body)
    assert repr(body) == once
