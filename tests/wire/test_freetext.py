from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.freetext import FreeText

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


def fed(written: str, at: list[int]) -> tuple[str, str]:
    """What the pieces told, and what the whole text is."""
    cuts = sorted({0, len(written), *(cut % (len(written) + 1) for cut in at)})
    text = FreeText()
    told = [text.feed(written[a:b]) for a, b in pairwise(cuts)]
    return "".join([*told, text.end()]), text.text


@given(TEXTS, st.lists(st.integers(0, 500), max_size=8), st.booleans())
def test_the_pieces_are_the_text_however_the_json_is_split(text: str, at: list[int], plain: bool):
    written = json.dumps({"input": text}, ensure_ascii=plain)
    assert fed(written, at) == (text, text)


@given(TEXTS)
def test_the_text_is_told_before_its_json_is_whole(text: str):
    growing = FreeText()
    assert growing.feed(json.dumps({"input": text + "."})[:-2]) == text + "."


@given(st.text(max_size=40), st.lists(st.integers(0, 60), max_size=4))
def test_what_was_told_is_always_what_the_text_is(junk: str, at: list[int]):
    told, text = fed(junk, at)
    assert told == text


def test_json_of_another_shape_is_told_whole():
    assert fed('{"patch": "x"}', [3])[1] == '{"patch": "x"}'
    assert fed("", [])[1] == ""


def test_other_fields_ahead_of_the_text_do_no_harm():
    assert fed('{"why": "a", "input": "b"}', [5, 20])[1] == "b"
