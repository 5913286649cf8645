import subprocess
import sys
from pathlib import Path

import pytest

from maxpool.config.peek import Peek, peek


def peeked(tmp_path: Path, text: str) -> Peek:
    path = tmp_path / "c.toml"
    path.write_text(text)
    return peek(path)


def test_without_a_file_the_server_is_where_it_is_by_default(tmp_path):
    assert peek(tmp_path / "missing.toml").url == "http://127.0.0.1:3456"


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("port = 4000", "http://127.0.0.1:4000"),
        ("host = '0.0.0.0'", "http://127.0.0.1:3456"),
        ("host = '::'", "http://[::1]:3456"),
        ("host = 'box.lan'\ntls_cert = 'c.pem'", "https://box.lan:3456"),
        ("port = 0", "http://127.0.0.1:3456"),
        ("port = 'x'\nhost = 3", "http://127.0.0.1:3456"),
    ],
)
def test_the_address_is_the_one_a_client_here_would_write(server, url, tmp_path):
    assert peeked(tmp_path, f"[server]\n{server}").url == url


@pytest.mark.parametrize("text", ["[server", "server = 3", "client_keys = 3", "client_keys = [3]"])
def test_a_broken_file_falls_back_to_the_defaults(text, tmp_path):
    assert peeked(tmp_path, text).url == "http://127.0.0.1:3456"


def test_a_client_key_is_known_by_its_reference_only(tmp_path):
    entry = "[[client_keys]]\nname = 'k'\n"
    found = peeked(tmp_path, f"{entry}key = 'env:K'\n{entry}key = 'file:k'\n{entry}sha256 = 'x'\n")
    assert found.keys == ("env:K", f"file:{tmp_path / 'k'}", "")


def test_a_state_folder_of_its_own_is_meant_from_the_configs_folder(tmp_path):
    assert peeked(tmp_path, "[storage]\nfolder = 'state'\n").folder == tmp_path / "state"
    assert peeked(tmp_path, "[storage]\nfolder = 7\n").folder is None
    assert peeked(tmp_path, "").folder is None


def test_homes_and_the_clients_own_login_are_known(tmp_path):
    found = peeked(
        tmp_path, "[pool]\nclient_login = 'first'\n[[accounts]]\nname = 'h'\nkind = 'home'\n"
    )
    assert ([home.name for home in found.homes], found.client_login) == (["h"], True)
    assert not peeked(tmp_path, "").client_login


def test_peeking_needs_nothing_beyond_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); import maxpool.config.peek; "
        "print([m for m in set(sys.modules) - before if m.split('.')[0] not in sys.stdlib_module_names "
        "and m.split('.')[0] != 'maxpool'])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
