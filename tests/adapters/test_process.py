from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from maxpool.adapters import process

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def test_the_environment_is_live(monkeypatch):
    monkeypatch.setenv("MAXPOOL_TEST_X", "1")
    assert process.environment()["MAXPOOL_TEST_X"] == "1"


def test_this_process_runs_and_a_finished_one_does_not():
    assert process.is_running(process.pid())
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert not process.is_running(child.pid)


@pytest.mark.skipif(os.name != "posix", reason="no such limits")
def test_the_soft_limit_of_open_files_is_raised_to_the_hard_one():
    code = (
        "import resource as r; from maxpool.adapters.process import raise_open_files_limit as up;"
        "hard = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (64, min(hard, 4096)));"
        "now = up(); assert now == r.getrlimit(r.RLIMIT_NOFILE)[0] == min(hard, 4096), now"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_local_offset_follows_summer_time(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert process.local_utc_offset_s(1_768_000_000) == 3600
        assert process.local_utc_offset_s(1_783_000_000) == 7200
    finally:
        monkeypatch.undo()
        time.tzset()


@linux
def test_who_listens_on_a_port_is_found():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert f"pid {os.getpid()}" in (process.listener_on(sock.getsockname()[1]) or "")
    assert process.listener_on(1) is None


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("localhost", True),
        ("a.localhost.", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback_is_told_by_name_and_address(host, found):
    assert process.is_loopback(host) is found


def test_proxies_come_from_the_environment_and_loopback_is_never_proxied(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert process.EnvironmentProxies()("https", "api.example.com") is None
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", ".intern.example.com,10.0.0.1")
    proxies = process.EnvironmentProxies()
    assert proxies("https", "api.example.com") == "http://proxy:3128"
    assert proxies("http", "api.example.com") is None
    assert proxies("https", "a.intern.example.com") is None
    assert proxies("https", "10.0.0.1") is None
    assert proxies("https", "127.0.0.1") is None
    assert proxies("https", "localhost") is None
    monkeypatch.setenv("ALL_PROXY", "http://all:1")
    assert process.EnvironmentProxies()("http", "api.example.com") == "http://all:1"
