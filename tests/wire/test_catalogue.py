import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.catalogue import MAX_BYTES, read


def text(**given: object) -> bytes:
    return json.dumps({"version": 1, "models": [], **given}).encode()


def test_models_tell_context_tier_lacks_and_price():
    model = {"id": "m", "context": 8000, "tier": "fast", "lacks": ["images"], "price": {"input": 1}}
    found = read(text(models=[model, {"id": "n", "tier": "fast"}]))
    assert found.context == {"m": 8000}
    assert found.tiers == {"fast": "m"}
    assert found.models[0].price is not None
    assert found.models[0].lacks == ("images",)


def test_what_a_newer_catalogue_says_besides_is_left_out():
    assert read(text(models=[{"id": "m", "colour": "red"}], note="x")).models[0].id == "m"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<html>", "no catalogue"),
        (text(version=2), "version is 2"),
        (text(models=[{"id": ""}]), "no usable id"),
        (text(models=[{"id": "m", "context": 0}]), "context of m"),
        (text(models=[{"id": "m", "tier": "huge"}]), "tier of m"),
        (text(models=[{"id": "m"}] * 10_001), "more than 10000"),
        (b" " * (MAX_BYTES + 1), "larger than 4 MB"),
    ],
)
def test_what_is_wrong_with_it_is_said(data, why):
    with pytest.raises(ValueError, match=why):
        read(data)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_raise_valueerror(data):
    try:
        read(data)
    except ValueError:
        return
