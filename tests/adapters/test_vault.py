from __future__ import annotations

import gc
import subprocess
import sys
import threading

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from maxpool.adapters.vault import BACKENDS, KeyringStore, find_backend
from maxpool.errors import SecretError
from maxpool.ports import Secret
from tests import desktop


class Memory(KeyringBackend):
    """A keyring as libraries bring them: it keeps what it is told, or does as it is asked to."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.loses = False

    def get_password(self, service, username):
        self.gate.wait()
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.gate.wait()
        if not self.loses:
            self.kept[service, username] = password

    def delete_password(self, service, username):
        self.gate.wait()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("No such password!")


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch):
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")


@pytest.fixture
def backend():
    made = Memory()
    yield made
    made.gate.set()


@pytest.fixture
def store(backend):
    return KeyringStore("maxpool", 0.2, find=lambda: backend)


@pytest.fixture
def keyring(tmp_path, monkeypatch):
    with desktop.keyring_session(tmp_path / "session", monkeypatch):
        yield KeyringStore("maxpool test", 10.0)


@desktop.needs_desktop
def test_a_real_keyring_keeps_entries_until_they_are_deleted(keyring):  # X4
    assert keyring.trouble() is None
    keyring.put("a", Secret("sk-1"))
    keyring.put("a", Secret("sk-2"))
    assert keyring.get("a") == Secret("sk-2")
    assert keyring.get("b") is None
    keyring.delete("a")
    keyring.delete("a")
    assert keyring.get("a") is None
    assert keyring.place == "the OS keyring (the Secret Service)"


@desktop.needs_desktop
def test_a_keyring_service_that_ends_and_is_started_anew_is_not_noticed(
    tmp_path, monkeypatch
):  # O4
    with desktop.keyring_session(tmp_path / "session", monkeypatch) as env:
        store = KeyringStore("maxpool test", 10.0)
        store.put("a", Secret("sk-1"))
        desktop.end_keyring(env)
        assert store.get("a") == Secret("sk-1")


def test_what_fails_once_is_asked_once_more_of_a_backend_found_anew(backend):
    class Ending(Memory):
        def get_password(self, service, username):
            raise RuntimeError("Message recipient disconnected from message bus")

    backends = [backend, Ending()]
    store = KeyringStore("maxpool", 5.0, find=lambda: backends.pop())
    backend.kept["maxpool", "a"] = "sk-1"
    assert store.get("a") == Secret("sk-1")
    assert backends == []


@desktop.needs_desktop
@pytest.mark.parametrize("prompts", [False, True])
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # keyring's own: it closes nothing then
def test_a_locked_keyring_is_told_as_locked_and_works_again_once_unlocked(  # O4
    keyring, prompts
):
    keyring.prompts = prompts
    keyring.put("a", Secret("sk-1"))
    desktop.lock_keyring()
    for ask in (keyring.get, keyring.delete, lambda name: keyring.put(name, Secret("x"))):
        with pytest.raises(SecretError) as caught:
            ask("a")
        assert caught.value.message == "the keyring is locked"
        assert "maxpool secrets init" in caught.value.hint
    desktop.unlock_keyring()
    assert keyring.get("a") == Secret("sk-1")
    gc.collect()


@desktop.needs_desktop
def test_a_keyring_that_starts_later_is_found(tmp_path, monkeypatch):  # O4
    with desktop.session(tmp_path / "session") as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        store = KeyringStore("maxpool test", 10.0)
        trouble = store.trouble()
        assert trouble is not None
        assert trouble.message.startswith("there is no keyring here: ")
        desktop.start_keyring(env)
        assert store.trouble() is None


def test_without_a_desktop_session_it_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    trouble = KeyringStore("maxpool", 10.0).trouble()
    assert trouble is not None
    assert trouble.message.startswith(
        "there is no keyring here: the session's D-Bus does not answer"
    )
    assert "maxpool secrets init" in trouble.hint


@pytest.mark.parametrize(
    "chosen",
    [
        "keyring.backends.null.Keyring",
        "keyring.backends.fail.Keyring",
        "keyring.backends.chainer.ChainerBackend",
        "keyrings.alt.file.PlaintextKeyring",
    ],
)
def test_a_backend_that_keeps_nothing_or_keeps_it_readable_is_never_used(  # X4
    chosen, monkeypatch
):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", chosen)
    with pytest.raises(SecretError, match=f"the keyring is set to {chosen}, which is not safe"):
        find_backend()
    assert chosen not in BACKENDS


def test_the_users_own_choice_in_keyrings_file_counts_too(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "python_keyring"
    folder.mkdir()
    (folder / "keyringrc.cfg").write_text(
        "[backend]\ndefault-keyring=keyring.backends.null.Keyring\n"
    )
    with pytest.raises(SecretError, match=r"set to keyring\.backends\.null\.Keyring"):
        find_backend()


def test_a_keyring_must_prove_itself_before_anything_is_entrusted_to_it(store, backend):  # X4
    backend.loses = True
    with pytest.raises(SecretError, match="does not give back what is written"):
        store.put("a", Secret("sk-1"))
    backend.loses = False
    store.put("a", Secret("sk-1"))
    assert backend.kept == {("maxpool", "a"): "sk-1"}  # nothing is left of the proof


def test_an_entry_that_was_lost_while_writing_is_an_error(store, backend):
    assert store.trouble() is None
    backend.loses = True
    with pytest.raises(SecretError, match="lost what was just written"):
        store.put("a", Secret("sk-1"))


def test_a_keyring_that_hangs_fails_later_calls_at_once_until_it_is_back(store, backend):  # O4
    backend.kept["maxpool", "a"] = "sk-1"
    backend.gate.clear()
    with pytest.raises(SecretError, match="the keyring does not answer"):
        store.get("a")
    store.timeout_s = 3600.0  # whoever waited now would wait for the whole test
    for _ in range(20):
        with pytest.raises(SecretError, match="the keyring does not answer"):
            store.get("a")
    stuck = store._worker._stuck
    assert stuck is not None
    backend.gate.set()
    assert stuck.done.wait(10)
    assert store.get("a") == Secret("sk-1")


def test_a_keyring_that_hangs_does_not_hold_up_the_end_of_the_process():  # O4
    code = (
        "import threading\n"
        "from maxpool.adapters.vault import KeyringStore\n"
        "from maxpool.errors import SecretError\n"
        "store = KeyringStore('maxpool', 0.1, find=threading.Event().wait)\n"
        "try: store.get('a')\n"
        "except SecretError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "the keyring does not answer\n"


def test_what_a_backend_raises_is_told_in_one_line_and_tried_anew(store, backend):
    def broken(*_):
        raise ConnectionResetError("gone\nat length")

    backend.get_password, kept = broken, backend.get_password
    with pytest.raises(SecretError, match=r"^the keyring failed: gone$"):
        store.get("a")
    backend.get_password = kept
    assert store.get("a") is None
