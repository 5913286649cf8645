"""wire/chat_options: the table of what services want otherwise."""

from __future__ import annotations

from dataclasses import fields

import pytest

from maxpool.core.needs import CHAT_LACKS, DOCUMENTS, PREFILL
from maxpool.wire.chat_options import DEFAULTS, OPTIONS, Options, enabled_by, options_of, problem


def test_the_table_names_every_option_there_is():
    assert list(OPTIONS) == [field.name for field in fields(Options)]


def test_the_defaults_are_valid_as_they_would_be_written():
    written = {f.name: getattr(DEFAULTS, f.name) for f in fields(Options)}
    said = {name: value for name, value in written.items() if value is not None}
    assert [problem(name, value) for name, value in said.items()] == [None] * len(said)
    assert options_of(said) == options_of({}) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("max_tokens_field", "n_predict", "max_completion_tokens"),
        ("max_tokens_max", 0, 1),
        ("max_tokens_max", 1.5, 16_384),
        ("max_tokens_max", True, 1),
        ("temperature_max", -0.1, 1.5),
        ("reasoning_field", True, "reasoning"),
        ("system_role", "boss", "developer"),
        ("tool_id_chars", 7, 9),
        ("tool_id_chars", 65, 64),
        ("files", 1, True),
    ],
)
def test_each_option_takes_what_it_is_for_and_nothing_else(name, wrong, right):
    told = problem(name, wrong)
    assert told is not None
    assert told.startswith("must be ")
    assert getattr(options_of({name: right}), name) == right
    with pytest.raises(ValueError, match=name):
        options_of({name: wrong})


def test_an_unknown_option_is_told_which_there_are():
    assert "max_tokens_field" in str(problem("max_token", 1))


def test_what_an_option_makes_room_for_is_no_longer_lacking():
    assert enabled_by(DEFAULTS) == frozenset()
    given = enabled_by(Options(files=True, continue_final_message=True))
    assert given == {DOCUMENTS, PREFILL}
    assert given < CHAT_LACKS
