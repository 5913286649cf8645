from __future__ import annotations

import pytest

from maxpool.adapters.browser import has_browser, open_browser


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False),  # a text browser would take the terminal
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "firefox"}, "linux", True),
        ({"BROWSER": "none", "DISPLAY": ":0"}, "linux", False),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "1 2 3 4"}, "darwin", False),
    ],
)
def test_a_browser_is_opened_where_the_person_sees_it(environment, platform, expected):
    assert has_browser(environment, platform) is expected


def test_no_browser_is_no_failure():
    assert open_browser("http://127.0.0.1:1/", {"BROWSER": "none"}) is False


def test_the_named_browser_gets_the_address(tmp_path, monkeypatch):
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/seen\n')
    script.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(script))
    monkeypatch.setattr("webbrowser._tryorder", None)  # it reads $BROWSER once
    assert open_browser("http://127.0.0.1:1/authorize?state=x")
    assert (tmp_path / "seen").read_text() == "http://127.0.0.1:1/authorize?state=x\n"
