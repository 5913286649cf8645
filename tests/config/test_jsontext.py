"""One key of a JSON text changes; the rest stays to the character."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.config.jsontext import parsed, with_key, without_key

LINE = {"type": "command", "command": "maxpool statusline"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=4), JSON, max_size=4)


def test_a_new_key_stands_last_in_the_files_own_indent():
    text = '{\n\t"model": "opus",\n\t"env": {"A" :1}\n}\n'
    assert with_key(text, "b", {"c": 1}) == (
        '{\n\t"model": "opus",\n\t"env": {"A" :1},\n\t"b": {\n\t\t"c": 1\n\t}\n}\n'
    )


def test_a_key_that_is_there_changes_in_its_place():
    assert with_key('{"a":1,  "b" : [2], "c":3}', "b", 7) == '{"a":1,  "b" : 7, "c":3}'


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("{}", '{\n  "a": 1\n}'),
        (" {\n}\n", ' {\n  "a": 1\n}\n'),
        ('{"b": 2}', '{"b": 2, "a": 1}'),
        ('{\r\n  "b": 2\r\n}', '{\r\n  "b": 2,\r\n  "a": 1\r\n}'),
    ],
)
def test_every_layout_is_kept(text: str, after: str):
    assert with_key(text, "a", 1) == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ('{"a": 1}', "{}"),
        ('{\n  "a": 1,\n  "b": 2\n}', '{\n  "b": 2\n}'),
        ('{\n  "b": 2,\n  "a": {"a": 1}\n}', '{\n  "b": 2\n}'),
        ('{"a": 1, "b": 2, "a": 3}', '{"b": 2}'),
        ('{"b": {"a": 1}}', '{"b": {"a": 1}}'),
    ],
)
def test_a_key_is_taken_away_wherever_it_stands(text: str, after: str):
    assert without_key(text, "a") == after


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"a": 1,}', '{"a": 1} // mine', '{"a" 1}'])
def test_a_text_that_is_no_json_object_is_refused(text: str):
    for change in (lambda: with_key(text, "a", 1), lambda: without_key(text, "a")):
        with pytest.raises(ValueError, match=r"."):
            change()


@given(OBJECTS, st.text(max_size=4), JSON, st.sampled_from([None, 1, 4, "\t"]))
def test_only_that_key_changes(data: dict[str, Any], key: str, value: Any, indent: Any):
    text = json.dumps(data, indent=indent)
    assert parsed(with_key(text, key, value)) == {**data, key: value}
    assert parsed(without_key(text, key)) == {k: v for k, v in data.items() if k != key}


@given(OBJECTS, st.sampled_from([None, 2, "\t"]))
def test_setting_and_removing_a_new_key_leaves_the_text_as_it_was(
    data: dict[str, Any], indent: Any
):
    text = json.dumps(data, indent=indent)
    if data and "statusLine" not in data:
        assert without_key(with_key(text, "statusLine", LINE), "statusLine") == text
