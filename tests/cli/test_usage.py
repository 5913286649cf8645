from __future__ import annotations

import csv
import io
import json

from maxpool.cli.usage import BY
from tests.cli.operate import run, say
from tests.ledgers import keep
from tests.make import request_record
from tests.rig import MODEL, rig
from tests.web.test_admin_ledger import kept, written


async def test_the_running_server_is_asked(tmp_path):
    async with kept(tmp_path) as it:
        for _ in range(2):
            await it.post()
        await written(it, 2)
        shown = (await run(it, tmp_path, "usage", "model")).stdout.splitlines()
        assert shown[0].endswith("in 2 requests, " + shown[0].rpartition(" ")[2])
        assert shown[2].split()[:2] == ["MODEL", "REQUESTS"]
        assert shown[3].split()[:2] == [MODEL, "2"]
        found = json.loads((await run(it, tmp_path, "usage", "account", "--json")).stdout)
        assert [line["name"] for line in found["usage"]] == ["a"]


async def test_every_word_is_answered(tmp_path):
    async with kept(tmp_path) as it:
        await it.post(headers={"x-claude-code-session-id": "5f2c"})
        await written(it, 1)
        for by in BY:
            result = await run(it, tmp_path, "usage", by)
            assert (result.exit_code, "1 requests" in result.stdout) == (0, True), result.output


def test_without_a_server_the_file_itself_is_read(tmp_path):
    (tmp_path / "none.toml").write_text("version = 1\n")
    rows = [request_record(i, at=1_800_000_000.0 + i) for i in range(3)]
    keep(f"sqlite:///{tmp_path / 'ledger.sqlite'}", rows)
    result = say(tmp_path, "usage", "account", "--since", "2020-01-01", "--csv")
    (line,) = csv.DictReader(io.StringIO(result.stdout))
    assert (line["account"], line["requests"], line["cost_usd"]) == ("a-1", "3", "0.75")
    only = say(tmp_path, "usage", "model", "--since", "2020-01-01", "--model", "other")
    assert only.stdout.strip() == "Nothing was used in this time."


def test_where_no_ledger_is_there_it_is_said(tmp_path):
    (tmp_path / "none.toml").write_text("version = 1\n")
    result = say(tmp_path, "usage")
    assert result.exit_code == 1
    assert "there is no ledger yet" in result.stderr


def test_what_is_no_time_is_an_error_of_use(tmp_path):
    for arguments in (["--since", "soon"], ["--json", "--csv"], ["colour"]):
        assert say(tmp_path, "usage", *arguments).exit_code == 2


async def test_a_ledger_that_is_off_is_said(tmp_path):
    async with rig() as it:
        result = await run(it, tmp_path, "usage")
        assert (result.exit_code, "Nothing is kept" in result.stderr) == (1, True)
