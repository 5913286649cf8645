import socket

import pytest

from maxpool.cli.server import fetch_status
from maxpool.errors import MaxpoolError, NotRunning
from tests.cli.stub import account, picture, serving


def test_the_picture_is_asked_for_as_json():
    with serving(picture(account("a"))) as stub:
        assert fetch_status(stub.url)["accounts"][0]["name"] == "a"
    path, headers = stub.asked[0]
    assert (path, headers["accept"]) == ("/status", "application/json")
    assert "x-maxpool-key" not in headers


def test_a_key_is_shown_when_there_is_one():
    with serving(picture()) as stub:
        fetch_status(stub.url + "/base/", key="k")
    assert stub.asked[0][0] == "/base/status"
    assert stub.asked[0][1]["x-maxpool-key"] == "k"


def test_the_proxy_of_the_environment_is_never_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(picture()) as stub:
        fetch_status(stub.url)
    assert len(stub.asked) == 1


def test_nobody_answering_is_said_with_what_to_do():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(NotRunning, match="does not answer") as caught:
            fetch_status(url)
    assert "maxpool serve" in caught.value.hint


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_wants_a_key_is_said_as_such(status):
    with serving({"error": "key"}, status) as stub, pytest.raises(MaxpoolError) as caught:
        fetch_status(stub.url)
    assert "MAXPOOL_KEY" in caught.value.hint
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("content", [b"<html>", [], {"other": 1}])
def test_something_that_is_not_maxpool_is_said_as_such(content):
    with serving(content) as stub, pytest.raises(MaxpoolError, match="is not maxpool"):
        fetch_status(stub.url)


def test_plain_http_behind_an_https_address_is_said_as_such():
    with serving(picture()) as stub, pytest.raises(MaxpoolError, match="no trusted https"):
        fetch_status(stub.url.replace("http:", "https:"))
