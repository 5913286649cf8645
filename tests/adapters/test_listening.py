from __future__ import annotations

import errno
import socket

import pytest

from maxpool.adapters import process
from maxpool.adapters.listening import _bind_error, bind
from maxpool.errors import BindError


def test_localhost_gets_one_port_on_both_families():
    sockets = bind("localhost", 0)
    ports = {sock.getsockname()[1] for sock in sockets}
    families = {sock.family for sock in sockets}
    for sock in sockets:
        sock.close()
    assert len(ports) == 1
    assert socket.AF_INET in families


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
def test_a_host_that_is_not_ours_is_told_with_a_remedy(host):
    with pytest.raises(BindError) as caught:
        bind(host, 0)
    assert host in caught.value.message
    assert "127.0.0.1" in caught.value.hint


def test_a_port_taken_on_one_family_leaves_no_socket_open():
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError):
            bind("localhost", port)
        socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EIO])
def test_every_failure_has_a_hint(code):
    assert _bind_error(OSError(code, "no"), "127.0.0.1", 1).hint


def test_a_taken_port_names_who_holds_it_how_to_end_it_and_where_to_name_another(monkeypatch):
    monkeypatch.setattr(process, "listener_on", lambda _: "python3 (pid 4711)")
    hint = _bind_error(OSError(errno.EADDRINUSE, "no"), "127.0.0.1", 3456).hint
    for words in ("python3", "kill 4711", "Ctrl-C", "--port", "[server] port"):
        assert words in hint


def test_a_taken_port_whose_holder_is_hidden_advises_no_kill(monkeypatch):
    monkeypatch.setattr(process, "listener_on", lambda _: None)
    hint = _bind_error(OSError(errno.EADDRINUSE, "no"), "127.0.0.1", 3456).hint
    assert "kill" not in hint
    assert "[server] port" in hint
