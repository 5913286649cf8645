"""Logs: redacted at the root, text or JSON lines (O6)."""

from __future__ import annotations

import json
import logging

import pytest

from maxpool.service.logs import JsonLines, Redact, redacted, set_up_logging

SECRETS = [
    "sk-ant-api03-AbCdEf123456",
    "Authorization: Bearer abc.def-ghi",
    "x-api-key: 'topsecret'",
    "b'authorization', b'Bearer verysecret99'",
    "bearer eyJhbGciOi.payload",
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
