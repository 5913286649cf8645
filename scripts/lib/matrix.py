#!/usr/bin/env python3
"""The README's tables of formats and of other vendors' faults, worked out from the code itself.

    python scripts/lib/matrix.py                    # prints them
    python scripts/lib/matrix.py --write README.md  # puts each between its markers

A feature is carried when a translator lets it change what goes out, left out when it changes nothing,
refused when the translator names it in a 400, and skipped when accounts of that kind are passed over.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from maxpool.core.needs import CHAT_LACKS  # noqa: E402
from maxpool.errors import RequestError  # noqa: E402
from maxpool.wire.body import parse  # noqa: E402
from maxpool.wire.chat_answer import CHAT_SURFACE  # noqa: E402
from maxpool.wire.from_chat import CHAT_DIALECT  # noqa: E402
from maxpool.wire.responses_answer import RESPONSES_SURFACE  # noqa: E402

HEAD = ("feature", "asked in Chat", "asked in Responses", "Messages to a Chat account")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DATA = f"data:image/png;base64,{PIXEL}"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
STRICT = {**SCHEMA, "required": ["a"], "additionalProperties": False}
CALL = {"type": "function", "id": "call_1", "function": {"name": "f", "arguments": "{}"}}
CHAT_TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
OPEN_TOOL = {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}
TOOL = {"name": "f", "input_schema": SCHEMA}


def said(*parts):
    """One user message of these parts."""
    return [{"role": "user", "content": list(parts)}]


def chat(**more):
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}


def responses(**more):
    return {"model": "m", "input": "hi", **more}


def messages(**more):
    return {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}], **more}


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def block(kind, **more):
    return {"type": kind, **more}


def picture(**source):
    return said(block("image", source=source))


TOOL_TURN_CHAT = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "1"},
    {"role": "tool", "tool_call_id": "call_2", "content": "second result"},
]
TOOL_TURN_OPEN = [
    {"role": "user", "content": "hi"},
    *(
        part
        for n, result in (("1", "first result"), ("2", "second result"))
        for part in (
            {"type": "function_call", "call_id": n, "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": n, "output": result},
        )
    ),
]
TOOL_TURN = [
    {"role": "user", "content": "hi"},
    {
        "role": "assistant",
        "content": [block("tool_use", id=f"toolu_{n}", name="f", input={}) for n in "12"],
    },
    {
        "role": "user",
        "content": [
            block("tool_result", tool_use_id=f"toolu_{n}", content=result)
            for n, result in (("1", "first result"), ("2", "second result"))
        ],
    },
]
CACHED = said(block("text", text="hi", cache_control={"type": "ephemeral"}))
THOUGHT = [
    {"role": "user", "content": "hi"},
    {
        "role": "assistant",
        "content": [
            block("thinking", thinking="hm", signature="c2ln"),
            block("text", text="yes"),
        ],
    },
    {"role": "user", "content": "go on"},
]
FORMAT_CHAT = {
    "type": "json_schema",
    "json_schema": {"name": "o", "schema": STRICT, "strict": True},
}
FORMAT_OPEN = {"type": "json_schema", "name": "o", "schema": STRICT, "strict": True}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}
PLAIN_TEXT = {"type": "text", "media_type": "text/plain", "data": "words"}

# (feature, in Chat, in Responses, in Messages); None: that API has no such thing.
FEATURES = (
    (
        "system prompt",
        chat(
            messages=[
                {"role": "system", "content": "the system prompt"},
                {"role": "user", "content": "hi"},
            ]
        ),
        responses(instructions="the system prompt"),
        messages(system="the system prompt"),
    ),
    (
        "pictures, in the request",
        chat(messages=said(image(DATA))),
        responses(input=[{"role": "user", "content": [block("input_image", image_url=DATA)]}]),
        messages(messages=picture(type="base64", media_type="image/png", data=PIXEL)),
    ),
    (
        "pictures, by URL",
        chat(messages=said(image("https://example.com/a.png"))),
        responses(
            input=[
                {
                    "role": "user",
                    "content": [block("input_image", image_url="https://example.com/a.png")],
                }
            ]
        ),
        messages(messages=picture(type="url", url="https://example.com/a.png")),
    ),
    (
        "PDF files",
        chat(
            messages=said(
                block(
                    "file",
                    file={
                        "filename": "a.pdf",
                        "file_data": "data:application/pdf;base64,JVBERi0xLjQK",
                    },
                )
            )
        ),
        responses(
            input=[
                {
                    "role": "user",
                    "content": [
                        block(
                            "input_file",
                            filename="a.pdf",
                            file_data="data:application/pdf;base64,JVBERi0xLjQK",
                        )
                    ],
                }
            ]
        ),
        messages(messages=said(block("document", source=PDF))),
    ),
    ("text files", None, None, messages(messages=said(block("document", source=PLAIN_TEXT)))),
    (
        "files kept by the service",
        chat(messages=said(block("file", file={"file_id": "file-1"}))),
        responses(input=[{"role": "user", "content": [block("input_file", file_id="file-1")]}]),
        messages(messages=said(block("document", source={"type": "file", "file_id": "file_1"}))),
    ),
    (
        "sound",
        chat(messages=said(block("input_audio", input_audio={"data": "AAAA", "format": "wav"}))),
        None,
        None,
    ),
    ("tools", chat(tools=[CHAT_TOOL]), responses(tools=[OPEN_TOOL]), messages(tools=[TOOL])),
    (
        "a tool that must be called",
        chat(tools=[CHAT_TOOL], tool_choice={"type": "function", "function": {"name": "f"}}),
        responses(tools=[OPEN_TOOL], tool_choice={"type": "function", "name": "f"}),
        messages(tools=[TOOL], tool_choice={"type": "tool", "name": "f"}),
    ),
    (
        "parallel calls and their results",
        chat(tools=[CHAT_TOOL], messages=TOOL_TURN_CHAT),
        responses(tools=[OPEN_TOOL], input=TOOL_TURN_OPEN),
        messages(tools=[TOOL], messages=TOOL_TURN),
    ),
    (
        "no parallel calls",
        chat(tools=[CHAT_TOOL], parallel_tool_calls=False),
        responses(tools=[OPEN_TOOL], parallel_tool_calls=False),
        messages(tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    ),
    (
        "free-text tools",
        chat(tools=[{"type": "custom", "custom": {"name": "f"}}]),
        responses(tools=[{"type": "custom", "name": "f"}]),
        None,
    ),
    (
        "tools of the service (web search, code)",
        chat(web_search_options={}),
        responses(tools=[{"type": "web_search"}]),
        messages(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
    ),
    (
        "answers by a JSON schema",
        chat(response_format=FORMAT_CHAT),
        responses(text={"format": FORMAT_OPEN}),
        messages(output_config={"format": {"type": "json_schema", "schema": STRICT}}),
    ),
    (
        "any JSON answer",
        chat(response_format={"type": "json_object"}),
        responses(text={"format": {"type": "json_object"}}),
        None,
    ),
    (
        "how hard to think",
        chat(reasoning_effort="high"),
        responses(reasoning={"effort": "high"}),
        messages(output_config={"effort": "high"}),
    ),
    ("signed thinking of earlier turns", None, None, messages(messages=THOUGHT)),
    (
        "length of the answer",
        chat(max_completion_tokens=7),
        responses(max_output_tokens=7),
        messages(max_tokens=7),
    ),
    ("temperature", chat(temperature=0.5), responses(temperature=0.5), messages(temperature=0.5)),
    ("top_p", chat(top_p=0.5), responses(top_p=0.5), messages(top_p=0.5)),
    ("top_k", None, None, messages(top_k=5)),
    ("stop sequences", chat(stop=["x"]), None, messages(stop_sequences=["x"])),
    ("several answers at once", chat(n=2), None, None),
    ("log probabilities", chat(logprobs=True), responses(top_logprobs=2), None),
    ("seed", chat(seed=1), None, None),
    ("penalties", chat(frequency_penalty=0.5), None, None),
    ("who the user is", chat(user="u"), responses(user="u"), messages(metadata={"user_id": "u"})),
    ("marks for the prompt cache", None, None, messages(messages=CACHED)),
    ("a conversation the service keeps", None, responses(previous_response_id="resp_1"), None),
    (
        "an answer's beginning, written by the client",
        None,
        None,
        messages(
            messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Yes"}]
        ),
    ),
    (
        "citations",
        None,
        None,
        messages(messages=said(block("document", source=PLAIN_TEXT, citations={"enabled": True}))),
    ),
)


# What is found in the request that goes out, of features that stand in a conversation.
MARKS = {
    "system prompt": "the system prompt",
    "pictures, in the request": PIXEL,
    "pictures, by URL": "https://example.com/a.png",
    "PDF files": "JVBERi0",
    "text files": "words",
    "parallel calls and their results": "second result",
}


def bytes_of(value):
    return json.dumps(value).encode()


def outcome(translate, base, asked, mark=""):
    """`carried`, `left out` or `refused`; `mark`: what must be found of it, where it is carried."""
    try:
        found = translate(bytes_of(asked))
    except RequestError:
        return "refused"
    if mark:
        return "carried" if mark.encode() in found else "left out"
    return "left out" if json.loads(found) == json.loads(translate(bytes_of(base))) else "carried"


def towards_chat(body):
    return CHAT_DIALECT.request(body, model="m", options={})


def at_account(asked, base, mark):
    """The same for an account: what it lacks, or cannot be told, makes it be passed over."""
    told = parse(bytes_of(asked))
    if told.needs & CHAT_LACKS or told.signed_thinking:  # signatures never cross to another vendor
        return "skipped"
    found = outcome(towards_chat, base, asked, mark)
    return "skipped" if found == "refused" else found


def without(asked, base):
    """The plain request beside which a feature shows: the same tools, if any."""
    tools = (
        {"tools": asked["tools"]}
        if "tool_choice" in asked or "parallel_tool_calls" in asked
        else {}
    )
    return {**base, **tools}


def formats():
    """The table of features."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for name, in_chat, in_responses, in_messages in FEATURES:
        mark = MARKS.get(name, "")
        rows.append(
            (
                name,
                ""
                if in_chat is None
                else outcome(CHAT_SURFACE.request, without(in_chat, chat()), in_chat, mark),
                ""
                if in_responses is None
                else outcome(
                    RESPONSES_SURFACE.request,
                    without(in_responses, responses()),
                    in_responses,
                    mark,
                ),
                ""
                if in_messages is None
                else at_account(in_messages, without(in_messages, messages()), mark),
            )
        )
    return "".join(
        f"| {' | '.join(cells)} |\n".replace("|  |", "| |").replace("|  |", "| |") for cells in rows
    )


def vendor_faults():
    """The table of other vendors' faults, as its lines are played in the tests."""
    from tests.faults.provider_lines import PROVIDER_LINES
    from tests.faults.table import table

    return table(PROVIDER_LINES, ())


TABLES = {"formats": formats, "vendor-faults": vendor_faults}


def marks(name):
    return f"<!-- {name}: begin (scripts/lib/matrix.py) -->\n", f"<!-- {name}: end -->\n"


def written(text):
    """The text with every table between its markers; tables without markers are not in it."""
    for name, make in TABLES.items():
        begin, end = marks(name)
        if begin in text and end in text:
            before, _, rest = text.partition(begin)
            _, _, after = rest.partition(end)
            text = before + begin + make() + end + after
    return text


def main():
    parser = argparse.ArgumentParser(prog="matrix.py", description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, metavar="FILE", help="a file with the markers")
    chosen = parser.parse_args()
    if chosen.write is None:
        for name, make in TABLES.items():
            begin, end = marks(name)
            print(begin + make() + end)
        return
    before = chosen.write.read_text(encoding="utf-8")
    after = written(before)
    if after != before:
        chosen.write.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
