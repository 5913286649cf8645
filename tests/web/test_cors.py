from __future__ import annotations

from typing import Any

from maxpool.web import cors

PAGE = "https://tool.example"


class Browser:
    """What a browser gets to see."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def send(self, message) -> None:
        self.messages.append(message)

    @property
    def fields(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])


async def test_a_preflight_is_told_exactly_this_origin_and_what_it_asked_for():  # X1
    browser = Browser()
    asked = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-api-key",
        "access-control-request-private-network": "true",
    }
    assert cors.is_preflight("OPTIONS", asked)
    await cors.permit(PAGE, asked, browser.send)
    assert browser.messages[0]["status"] == 204
    fields = browser.fields
    assert fields[b"access-control-allow-origin"] == PAGE.encode()
    assert fields[b"access-control-allow-headers"] == b"content-type,x-api-key"
    assert fields[b"access-control-allow-private-network"] == b"true"
    assert fields[b"vary"] == b"origin"
    assert b"*" not in b"".join(fields.values())
    assert b"access-control-allow-credentials" not in fields


async def test_odd_field_names_are_not_given_back():
    for wanted in ("a\r\nb: c", "a;b", "\u00e9", "x" * 3000, ""):
        browser = Browser()
        await cors.permit(PAGE, {"access-control-request-headers": wanted}, browser.send)
        assert b"access-control-allow-headers" not in browser.fields


def test_an_ordinary_options_is_no_preflight():
    assert not cors.is_preflight("OPTIONS", {})
    assert not cors.is_preflight("POST", {"access-control-request-method": "POST"})


async def test_an_answer_is_readable_and_its_body_untouched():
    browser = Browser()
    send = cors.readable_by(PAGE, browser.send)
    start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"x"})
    assert browser.fields[b"access-control-allow-origin"] == PAGE.encode()
    assert browser.fields[b"a"] == b"b"
    assert start["headers"] == [(b"a", b"b")], "the sender's own list is not changed"
    assert browser.messages[1] == {"type": "http.response.body", "body": b"x"}
