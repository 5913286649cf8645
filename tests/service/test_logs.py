"""Logs: redacted at the root, text or JSON lines (O6)."""

from __future__ import annotations

import json
import logging

import pytest

from maxpool.errors import StateError
from maxpool.service.logs import (
    MAX_CHAIN,
    REQUEST_ID,
    JsonLines,
    Redact,
    redacted,
    set_up_logging,
    whereabouts,
)

SECRETS = [
    "sk-ant-api03-AbCdEf123456",
    "Authorization: Bearer abc.def-ghi",
    "x-api-key: 'topsecret'",
    "b'authorization', b'Bearer verysecret99'",
    "bearer eyJhbGciOi.payload",
    "mpk-AbCdEf123456",
    "http://me:topsecret@proxy.example:8080",
    "x-maxpool-admin-key: topsecret",
    "authorization: Basic topsecret",
]


@pytest.mark.parametrize("text", SECRETS)
def test_whatever_looks_like_a_credential_is_taken_out(text):
    shown = redacted(f"before {text} after")
    for secret in ("AbCdEf", "abc.def", "topsecret", "verysecret99", "eyJhbGciOi"):
        assert secret not in shown
    assert shown.startswith("before ")


def test_ordinary_words_stay():
    text = "account a answered 200 in 12 ms, session 7f3, bearer of news"
    assert redacted(text) == text


def test_arguments_and_tracebacks_are_redacted_too():
    error = ValueError("token sk-ant-oat01-SECRETSECRET")
    exc_info = (type(error), error, None)
    record = logging.LogRecord(
        "x", logging.ERROR, "f", 1, "key %s", ("sk-ant-api03-ZZZZZZ",), exc_info
    )
    assert Redact().filter(record)
    line = json.loads(JsonLines().format(record))
    assert "ZZZZZZ" not in line["message"]
    assert "SECRETSECRET" not in line["error"]


def record_of(error: BaseException, name: str = "x", text: str = "it failed") -> logging.LogRecord:
    try:
        raise error
    except type(error) as caught:
        told = (type(caught), caught, caught.__traceback__)
    return logging.LogRecord(name, logging.ERROR, "f", 1, text, (), told)


def test_what_a_foreign_exception_says_is_not_told_and_where_it_came_from_is():  # O6
    error = ValueError("it quotes the prompt")
    error.__cause__ = KeyError("and the answer")
    error.__cause__.__context__ = StateError("the folder is read-only")
    record = record_of(error)
    Redact().filter(record)
    told = JsonLines().format(record) + logging.Formatter("%(message)s").format(record)
    assert "quotes" not in told
    assert "answer" not in told
    for kept in ("it failed", "ValueError", "record_of", "KeyError", "the folder is read-only"):
        assert kept in told


def test_an_endless_chain_of_causes_has_an_end():
    error = ValueError("x")
    error.__cause__ = error
    assert whereabouts(error).count("ValueError") == MAX_CHAIN


@pytest.mark.parametrize(
    "text",
    [
        "Task exception was never retrieved\nfuture: <Task exception=ValueError('prompt')>",
        "Exception in callback Protocol.data_received(b'prompt')",
    ],
)
def test_what_the_loop_says_of_a_failure_shows_nothing_that_it_held(text):  # O6
    record = record_of(ValueError("prompt"), "asyncio", text)
    Redact().filter(record)
    shown = logging.Formatter("%(message)s").format(record)
    assert "prompt" not in shown
    assert shown.startswith(text[:14])


@pytest.fixture
def _restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("form", ["text", "json"])
def test_set_up_writes_redacted_lines_to_stderr(form, capsys):
    set_up_logging("info", form)
    logging.getLogger("maxpool.x").info("key sk-ant-api03-HIDDENHIDDEN used")
    logging.getLogger("maxpool.x").debug("unheard")
    err = capsys.readouterr().err
    assert "[redacted]" in err
    assert "HIDDEN" not in err
    assert "unheard" not in err
    assert form == "text" or json.loads(err)["level"] == "info"


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_of_a_request_names_it_once_and_others_name_none(form, capsys):
    set_up_logging("info", form)
    log = logging.getLogger("maxpool.x")
    token = REQUEST_ID.set("abc123")
    log.info("something about it")
    log.info("request abc123 ends")
    REQUEST_ID.reset(token)
    log.info("something else")
    lines = capsys.readouterr().err.splitlines()
    if form == "text":
        assert [line.count("abc123") for line in lines] == [1, 1, 0]
        assert lines[0].endswith("something about it [abc123]")
    else:
        assert [json.loads(line).get("request_id") for line in lines] == ["abc123", "abc123", None]
