import json

from maxpool.sim.answers import Answer, Author, Prose, sign
from maxpool.sim.plans import SimSettings
from maxpool.sim.promptcache import Piece, tokens_of
from maxpool.sim.prompts import Prompt, Tool

SCHEMA = {
    "properties": {
        "path": {"type": "string"},
        "lines": {"type": "integer"},
        "mode": {"enum": ["fast", "slow"]},
    }
}


def answer(body: bytes = b"body", *, nth: int = 1, seed: int = 0, **changes) -> Answer:
    fields = {"model": "m", "stream": True, "max_tokens": 500, "asked": "hello", "variant": "m"}
    prompt = Prompt(pieces=(Piece(body),), **{**fields, **changes})
    return Author(SimSettings(), Prose(seed), seed).answer(prompt, nth)


def test_the_same_question_gets_the_same_words_and_a_new_id() -> None:
    one, two = answer(nth=1), answer(nth=2)
    assert one.blocks == two.blocks
    assert one.id != two.id
    assert answer(b"other").blocks != one.blocks


def test_an_answer_reads_like_sentences() -> None:
    text = answer().blocks[0].text
    assert text[0].isupper()
    assert len(text.split()) > 5


def test_max_tokens_ends_the_answer_and_says_so() -> None:
    cut = answer(max_tokens=7)
    assert cut.stop_reason == "max_tokens"
    assert cut.output_tokens == 7
    assert len(cut.blocks[0].text) == 28


def test_thinking_counts_against_the_limit_and_is_signed() -> None:
    a = answer(thinking="shown", max_tokens=5)
    assert [b.kind for b in a.blocks] == ["thinking"]
    assert a.stop_reason == "max_tokens"
    assert a.blocks[0].signature == sign("m", a.blocks[0].text) != sign("n", a.blocks[0].text)


def test_omitted_thinking_shows_a_signature_only() -> None:
    a = answer(thinking="omitted")
    assert (a.blocks[0].kind, a.blocks[0].text) == ("thinking", "")
    assert a.blocks[0].signature


def test_a_tool_is_called_only_when_offered_and_asked_for() -> None:
    tools = (Tool(name="Read", schema=SCHEMA),)
    called = answer(tools=tools, asked="Please use a tool now")
    assert called.stop_reason == "tool_use"
    given = json.loads(called.blocks[-1].text)
    assert given["path"] == "example path"
    assert isinstance(given["lines"], int)
    assert given["mode"] == "fast"
    assert answer(tools=tools).stop_reason == "end_turn"
    assert answer(asked="use a tool").stop_reason == "end_turn"


def test_a_named_marker_is_refused() -> None:
    assert answer(asked="please refuse this, thanks").stop_reason == "refusal"


def test_a_stop_sequence_ends_the_text_before_itself() -> None:
    whole = answer().blocks[0].text
    stop = whole[20:26]
    a = answer(stop_sequences=(stop,))
    assert (a.stop_reason, a.stop_sequence) == ("stop_sequence", stop)
    assert whole.startswith(a.blocks[0].text)
    assert stop not in a.blocks[0].text


def test_output_tokens_are_a_quarter_of_the_text() -> None:
    a = answer()
    assert a.output_tokens == tokens_of(len(a.blocks[0].text))


def test_all_tools_are_called_at_once_when_asked_for() -> None:
    tools = (Tool(name="Read", schema=SCHEMA), Tool(name="Write", schema={}))
    called = [b for b in answer(tools=tools, asked="use all tools").blocks if b.kind == "tool_use"]
    assert [b.tool_name for b in called] == ["Read", "Write"]
    assert len({b.tool_id for b in called}) == 2


def test_a_schema_makes_the_text_json_of_that_form() -> None:
    assert set(json.loads(answer(schema=SCHEMA).blocks[-1].text)) == {"path", "lines", "mode"}
