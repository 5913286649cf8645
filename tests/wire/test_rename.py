"""The one edit a body ever gets."""

from __future__ import annotations

import json

import msgspec
import pytest

from maxpool.wire.rename import with_model, without_limit


def test_only_the_model_changes_and_every_other_value_keeps_its_bytes():
    body = b'{"a": 1.50, "model": "claude-x", "messages":[ {"b":"\\u00e9"} ],"z":1e3}'
    assert with_model(body, "big") == (
        b'{"a":1.50,"model":"big","messages":[ {"b":"\\u00e9"} ],"z":1e3}'
    )


def test_odd_names_are_escaped():
    assert json.loads(with_model(b'{"model":"x"}', 'a"b\\c'))["model"] == 'a"b\\c'


def test_what_is_no_object_is_an_error():
    with pytest.raises(msgspec.DecodeError):
        with_model(b"[1]", "x")


def test_a_limit_goes_and_all_else_keeps_its_bytes():
    body = b'{"model":"m","max_tokens":5,"x":[1.50,"\\u00e9"]}'
    assert without_limit(body) == b'{"model":"m","x":[1.50,"\\u00e9"]}'
    assert without_limit(b'{"model":"m"}') == b'{"model":"m"}'
