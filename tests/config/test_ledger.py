"""Where the ledger may be, and what may not stand in the file."""

from __future__ import annotations

import pytest

from maxpool.config.ledger import is_reference
from maxpool.config.load import parse
from maxpool.errors import ConfigError


def url(text, tmp_path):
    return parse(f'[ledger]\nurl = "{text}"\n', tmp_path / "c.toml").ledger.url


@pytest.mark.parametrize(
    "text",
    [
        *("", "sqlite:////var/lib/ledger.sqlite", "postgresql://db.example.org/maxpool"),
        *("postgresql://me@/maxpool?host=/run/postgresql", "env:LEDGER_URL"),
    ],
)
def test_urls_without_a_password_and_references_are_taken(text, tmp_path):
    assert url(text, tmp_path) == text
    assert is_reference(text) is text.startswith("env:")


def test_a_file_is_looked_for_beside_the_config(tmp_path):
    assert url("file:ledger.url", tmp_path) == f"file:{tmp_path / 'ledger.url'}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("postgresql://me:sesame@host/db", "password"),
        ("postgresql://host/db?password=sesame", "password"),
        ("mysql://host/db", "SQLite or PostgreSQL"),
        ("ledger.sqlite", "SQLite or PostgreSQL"),
        ("command:pass show url", "SQLite or PostgreSQL"),
        ("env:", "environment variable"),
    ],
)
def test_others_are_refused_and_no_password_is_repeated(text, why, tmp_path):  # X4
    with pytest.raises(ConfigError) as caught:
        url(text, tmp_path)
    told = "; ".join(f"{p.message} {p.hint}" for p in caught.value.problems)
    assert why in told
    assert "sesame" not in told
