from __future__ import annotations

from pathlib import Path

from maxpool.app.keep import Outcome
from maxpool.cli.login_view import NOTICE, NOTICE_DATE, outcome_json, outcome_lines, sign_in_lines

README = Path(__file__).parents[2] / "README.md"
ADDED = Outcome(id="a-1", name="my max", kind="subscription", place="the OS keyring")


def test_the_notice_is_five_lines_as_old_as_the_readmes_section():
    assert len(NOTICE) == 5
    assert max(map(len, NOTICE)) <= 110
    section = README.read_text().partition("## Accounts and terms")[2].partition("\n## ")[0]
    assert f"*As of {NOTICE_DATE}." in section
    for word in ("you own", "resale", "recommended", "October 2026", "yours to decide"):
        assert word in section
        assert word in " ".join(NOTICE)


def test_the_last_line_is_what_comes_next():
    def last(outcome: Outcome, server: str) -> str:
        return outcome_lines(outcome, unverified=None, server=server)[-1]

    assert last(ADDED, "not running") == "Next: maxpool serve"
    assert "accounts show 'my max'" in last(ADDED, "follows")
    assert last(ADDED, "did not follow") == "Next: maxpool reload"
    moved = Outcome(id="a", name="a", kind="provider", renewed=True, moved=True)
    assert last(moved, "not running").endswith("maxpool serve --confirm a")
    assert "confirm" not in last(moved, "follows")
    assert "maxpool run --home" in last(Outcome(id="h", name="h", kind="home"), "follows")


def test_what_could_not_be_verified_is_said():
    lines = outcome_lines(ADDED, unverified="it answered HTTP 404", server="not running")
    assert any(line.startswith("Not verified: it answered HTTP 404.") for line in lines)
    data = outcome_json(ADDED, verified=False, unverified="why", server="follows")
    assert (data["verified"], data["unverified"], data["secret_in"]) == (
        False,
        "why",
        "the OS keyring",
    )


def test_an_account_that_is_known_already_is_named():
    already = Outcome(id="a-1", name="old", kind="oauth", renewed=True, already=True)
    lines = outcome_lines(already, unverified=None, server="follows")
    assert lines[0] == "This is already old; it has the new login."


def test_the_address_stands_alone_on_its_line():
    for opened in (True, False):
        lines = sign_in_lines("https://id.example/a?b=c", opened=opened, pasted=True)
        assert "  https://id.example/a?b=c" in lines
