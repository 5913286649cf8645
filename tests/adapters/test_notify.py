from __future__ import annotations

import os
import socket

import pytest

from maxpool.adapters import notify

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")


def test_the_service_manager_hears_what_holds(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert notify.asked()
        assert notify.ready()
        assert notify.main_process(4242)
        assert notify.alive()
        assert notify.stopping()
        heard = [manager.recv(100) for _ in range(4)]
    assert heard == [b"READY=1", b"MAINPID=4242", b"WATCHDOG=1", b"STOPPING=1"]


def test_where_nobody_asked_or_nobody_listens_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify.asked()
    assert not notify.ready()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify.ready()


@pytest.mark.parametrize(
    ("limit", "whom", "found"),
    [
        ("30000000", None, 30.0),
        ("30000000", "this one", 30.0),
        ("30000000", "1", None),
        (None, None, None),
        ("soon", None, None),
        ("0", None, None),
    ],
)
def test_signs_of_life_are_asked_for_by_the_manager_and_of_one_process(
    limit, whom, found, monkeypatch
):
    for name, value in (("WATCHDOG_USEC", limit), ("WATCHDOG_PID", whom)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "this one" else value)
    assert notify.watched_s() == found


def test_a_manager_that_does_not_listen_holds_no_sign_of_life_up(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert [notify.alive() for _ in range(2000)].count(False) > 0  # its queue is full by now
