"""The ledger without a server."""

from __future__ import annotations

import pytest

from maxpool.app import records
from maxpool.core.records import AccountRecord
from maxpool.errors import StateError
from tests.ledgers import keep
from tests.make import request_record


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(f'[storage]\nfolder = "{tmp_path}"\n')
    return path


def test_it_answers_as_the_admin_api_does(config_file, tmp_path):
    rows = [request_record(i) for i in range(3)]
    keep(f"sqlite:///{tmp_path / 'ledger.sqlite'}", [*rows, AccountRecord("a-1", "work")])
    told = records.usage(config_file, by="account", account="work")
    assert [(line["name"], line["requests"]) for line in told["usage"]] == [("work", 3)]
    assert told["total"]["requests"] == 3
    listed = records.requests(config_file, account="work", limit=2)
    assert [one["account_name"] for one in listed["requests"]] == ["work", "work"]
    assert listed["before"] == 2


def test_a_ledger_that_is_off_or_was_never_written_is_said(config_file, tmp_path):
    with pytest.raises(StateError, match="no ledger yet"):
        records.usage(config_file, by="day")
    config_file.write_text("[ledger]\nenabled = false\n")
    with pytest.raises(StateError, match="nothing is kept"):
        records.requests(config_file)
    assert not (tmp_path / "ledger.sqlite").exists()
