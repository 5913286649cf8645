"""web/door: where paths lead, and in whose form one is answered there."""

from __future__ import annotations

import json

import pytest

from maxpool.web.door import Place, asks_openai, place_of, surface_of, told_there
from maxpool.wire import replies


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/anthropic/v1/messages", Place("/v1/messages", "anthropic")),
        ("/anthropic/v1/files/file_1", Place("/v1/files/file_1", "anthropic")),
        ("/anthropic/api/hello", Place("/api/hello", "anthropic")),
        ("/anthropic", Place("/", "anthropic")),
        ("/openai/v1/chat/completions", Place("/v1/chat/completions", "openai")),
        ("/openai/chat/completions", Place("/v1/chat/completions", "openai")),
        ("/openai/responses/resp_1", Place("/v1/responses/resp_1", "openai")),
        ("/openai/v1/models/gpt-x", Place("/v1/models/gpt-x", "openai")),
        ("/v1/sets/fast/chat/completions", Place("/v1/chat/completions", "", "fast")),
        ("/v1/sets/fast/v1/messages", Place("/v1/messages", "", "fast")),
        ("/v1/sets/a b/messages/count_tokens", Place("/v1/messages/count_tokens", "", "a b")),
        ("/openai/v1/sets/x/responses", Place("/v1/responses", "openai", "x")),
        ("/anthropic/v1/sets/x/v1/messages", Place("/v1/messages", "anthropic", "x")),
    ],
)
def test_a_prefix_stands_before_the_same_endpoints(path, place):
    assert place_of(path) == place


@pytest.mark.parametrize(
    "path",
    [
        "/anthropic/admin/status",
        "/anthropic/status",
        "/openai/v1/files",
        "/openai/admin/x",
        "/openai/v1/messages/batches",
        "/openaix/v1/models",
        "/v1/sets/x/files",
        "/v1/sets/x/../admin",
        "/v1/sets//messages",
        "/anthropic/openai/v1/models",
        "/anthropic/v1/sets/x/admin",
    ],
)
def test_nothing_else_is_reached_through_one(path):  # X7
    assert place_of(path).path == path
    assert place_of(path).set_name is None


def test_errors_are_told_in_the_form_of_whoever_asks_there():
    error = replies.error(404, "not_found_error", "no", request_id="r")
    for path, prefix in (
        ("/v1/chat/completions", ""),
        ("/v1/responses", ""),
        ("/v1/conversations/c", ""),
        ("/openai/nothing", "openai"),
    ):
        assert json.loads(told_there(error, path, prefix).body)["error"]["code"] == "not_found"
    assert told_there(error, "/v1/messages", "anthropic") is error
    assert surface_of("/v1/models") is None


@pytest.mark.parametrize(
    ("fields", "prefix", "openai"),
    [
        ({}, "", False),
        ({}, "openai", True),
        ({"user-agent": "OpenAI/Python 3.52.0"}, "anthropic", False),
        ({"authorization": "Bearer x", "anthropic-version": "2023-06-01"}, "", False),
        ({"x-api-key": "k", "authorization": "Bearer x"}, "", False),
        ({"user-agent": "AsyncOpenAI/Python 3.52.0"}, "", True),
        ({"authorization": "Bearer x", "user-agent": "curl"}, "", True),
    ],
)
def test_clients_of_a_path_that_both_apis_have_are_told_apart(fields, prefix, openai):
    assert asks_openai(fields, prefix) is openai
