from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from maxpool.cli import progress
from maxpool.cli.progress import working


class Watched:
    """A stderr that tells when something was written."""

    def __init__(self, terminal: bool) -> None:
        self.terminal, self.seen, self.written = terminal, "", threading.Event()

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> None:
        self.seen += text
        self.written.set()

    def flush(self) -> None:
        pass


@pytest.fixture
def stderr(monkeypatch):
    found = Watched(terminal=True)
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=found))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return found


def test_what_takes_long_is_said_and_leaves_nothing_behind(stderr, monkeypatch):
    monkeypatch.setattr(progress, "AFTER_S", 0.0)
    with working("sealing"):
        assert stderr.written.wait(30)
    assert "sealing (0 s)" in stderr.seen
    assert stderr.seen.endswith("\r\x1b[2K")


def test_what_is_quick_says_nothing(stderr):
    with working("nothing"):
        pass
    assert stderr.seen == ""


def test_it_ends_with_what_it_is_about_and_lets_the_error_pass(stderr):
    with pytest.raises(ValueError, match="no"), working("failing"):
        raise ValueError("no")
    assert not any(t.name == "progress" for t in threading.enumerate())


@pytest.mark.parametrize("why", ["pipe", "NO_COLOR"])
def test_nobody_but_a_person_sees_it(why, stderr, monkeypatch):
    monkeypatch.setattr(progress, "AFTER_S", 0.0)
    stderr.terminal = why != "pipe"
    if why == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    with working("hidden"):
        assert not stderr.written.is_set()
    assert stderr.seen == ""
