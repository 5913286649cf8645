import pytest

from maxpool.sim.prompts import chunks, read_object, text_of


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b"null"])
def test_only_a_json_object_is_a_request(body) -> None:
    assert read_object(body) is None


def test_an_object_is_read() -> None:
    assert read_object(b'{"a": [1]}') == {"a": [1]}


def test_text_is_found_in_strings_and_blocks() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "image"}, 7, {"type": "text", "text": "b"}]
    assert text_of("plain") == "plain"
    assert text_of(blocks) == "a\nb"
    assert text_of(None) == ""


def test_chunks_put_together_are_the_text() -> None:
    assert chunks("abcdefg", 3) == ["abc", "def", "g"]
    assert chunks("", 3) == [""]
