from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from maxpool.adapters.sealed import ScryptCost, Sealer, new_key, read_key
from maxpool.adapters.secretfile import (
    CREDENTIALS_VARIABLE,
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    PURPOSE,
    Keys,
    SecretFile,
    coming,
)
from maxpool.errors import SecretError
from maxpool.ports import Secret

PHRASE = "correct horse battery"


def make(tmp_path: Path, **environment: str) -> SecretFile:
    keys = Keys(environment, tmp_path / "config" / "secret.key")
    sealer = Sealer(PURPOSE, ScryptCost(n=1 << 10))
    return SecretFile(tmp_path / "state", keys, 1.0, sealer)


@pytest.fixture
def store(tmp_path):
    made = make(tmp_path)
    made.make_key_file()
    made.put("a", Secret("sk-secret"))
    return made


def test_entries_rest_encrypted_in_a_file_of_their_owners_alone(store, tmp_path):  # X4
    store.put("b", Secret("sk-other"))
    assert store.get("a") == Secret("sk-secret")
    assert store.names() == ["a", "b"]
    for path in (store.path, store.keys.key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    everything = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"sk-" in content for content in everything)


def test_a_deleted_entry_is_gone_and_one_that_never_was_is_no_error(store):
    store.delete("b")
    store.delete("a")
    assert store.get("a") is None
    assert store.names() == []


def test_nothing_is_needed_to_see_that_nothing_is_there(tmp_path):
    store = make(tmp_path)
    assert store.get("a") is None
    store.delete("a")
    assert list(tmp_path.iterdir()) == []


def test_without_a_key_nothing_is_written_and_the_remedy_is_named(tmp_path):  # X4
    store = make(tmp_path)
    with pytest.raises(SecretError, match="there is no key") as caught:
        store.put("a", Secret("sk-secret"))
    assert "maxpool secrets init" in caught.value.hint
    assert not store.path.exists()


@pytest.mark.parametrize("given", [PHRASE, "ab" * 32])
def test_a_wrong_key_reads_nothing_and_overwrites_nothing(store, tmp_path, given):  # X4
    before = store.path.read_bytes()
    wrong = make(tmp_path, MAXPOOL_SECRET_KEY=given)
    for act in (wrong.get, wrong.delete, lambda name: wrong.put(name, Secret("x"))):
        with pytest.raises(SecretError, match=f"{KEY_VARIABLE} does not hold the key") as caught:
            act("a")
        assert caught.value.hint.startswith(f"Only the key in {store.keys.key_file} opens it")
    assert store.path.read_bytes() == before


def test_the_key_is_looked_for_in_a_fixed_order(tmp_path):
    named, folder = tmp_path / "named", tmp_path / "credentials"
    folder.mkdir()
    for path in (named, folder / "maxpool-key"):
        path.write_text(new_key())
        path.chmod(0o600)
    env = {KEY_VARIABLE: PHRASE, KEY_FILE_VARIABLE: str(named), CREDENTIALS_VARIABLE: str(folder)}
    make(tmp_path).make_key_file()
    own = str(tmp_path / "config" / "secret.key")
    for origin in (KEY_VARIABLE, str(named), str(folder / "maxpool-key"), own):
        key = Keys(env, Path(own)).current()
        assert key is not None
        assert key.origin == origin
        env.pop(next(iter(env), ""), None)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_file_that_others_can_read_is_refused_with_the_remedy(store, mode):  # X4
    store.keys.key_file.chmod(mode)
    with pytest.raises(SecretError, match="can be reached by others") as caught:
        store.get("a")
    assert caught.value.hint == f"Run: chmod 600 {store.keys.key_file}"


def test_a_credential_of_systemds_may_show_the_modes_of_its_access_list(tmp_path):
    credential = tmp_path / "maxpool-key"
    credential.write_text(new_key())
    credential.chmod(0o440)
    store = make(tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path))
    store.put("a", Secret("sk-1"))
    assert store.get("a") == Secret("sk-1")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff\xfe", b'{"format":"maxpool-sealed","version":1}\nAAAA']
)
def test_a_damaged_file_is_told_and_left_as_it_is(store, content):  # O2
    store.path.write_bytes(content)
    assert store.trouble() is not None
    for act in (store.get, lambda name: store.put(name, Secret("x"))):
        with pytest.raises(SecretError, match="is damaged"):
            act("a")
    assert store.path.read_bytes() == content


def test_what_a_killed_writer_left_changes_nothing(store):  # O3
    torn = store.path.with_name(f"{store.path.name}.new")
    torn.write_bytes(store.path.read_bytes()[:40])
    assert store.get("a") == Secret("sk-secret")
    store.put("b", Secret("sk-other"))
    assert store.names() == ["a", "b"]
    assert not torn.exists()


def test_a_second_make_keeps_the_key(store):
    before = store.keys.key_file.read_bytes()
    assert store.make_key_file() is False
    assert store.keys.key_file.read_bytes() == before


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


OPEN = """
import sys, resource
from pathlib import Path
from maxpool.adapters.secretfile import Keys, SecretFile
from maxpool.errors import SecretError
from maxpool.ports import Secret
folder = Path(sys.argv[1])
store = SecretFile(folder / "state", Keys({}, folder / "config" / "secret.key"), 30.0)
"""


def test_writers_in_several_processes_lose_nothing(store, tmp_path):
    code = OPEN + "for n in range(15): store.put(f'{sys.argv[2]}-{n}', Secret('x'))"
    writers = [python(code, tmp_path, name) for name in ("p", "q", "r")]
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0] * 3
    assert len(store.names()) == 1 + 3 * 15


def test_a_full_disk_leaves_the_old_entries_and_says_so(store, tmp_path):  # O4
    code = OPEN + (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))\n"
        "try: store.put('b', Secret('sk-other'))\n"
        "except SecretError as error: print(error.message, '|', error.hint)\n"
    )
    told, _ = python(code, tmp_path).communicate(timeout=60)
    assert told.startswith(f"cannot write {store.path}: File too large | Make room")
    assert store.names() == ["a"]


def test_a_reader_never_notices_that_the_key_changes(store, tmp_path):
    code = OPEN + "for _ in range(30): store.renew_key_file()"
    store.timeout_s = 60.0  # longer than all changes: they leave the lock free for moments only
    changing = python(code, tmp_path)
    while changing.poll() is None:
        assert store.get("a") == Secret("sk-secret")
    changing.communicate()
    assert changing.returncode == 0


STEPS = ("before", "waiting", "sealed", "renamed")


@pytest.mark.parametrize("step", STEPS)
def test_a_change_of_the_key_can_be_killed_at_any_step(store, tmp_path, step):  # O3
    code = OPEN + (
        "import os, signal\n"
        "from maxpool.adapters import secretfile as module\n"
        "step = ['before', 'waiting', 'sealed', 'renamed'].index(sys.argv[2])\n"
        "def die(): os.kill(os.getpid(), signal.SIGKILL)\n"
        "write, count = module.write_private, 0\n"
        "def counting(path, data):\n"
        "    global count\n"
        "    if count == step: die()\n"
        "    write(path, data)\n"
        "    count += 1\n"
        "    if count == 2 and step == 2: die()\n"
        "module.write_private = counting\n"
        "if step == 3: module.sync_folder = lambda folder: die()\n"
        "store.renew_key_file()\n"
    )
    old = store.keys.key_file.read_text()
    killed = python(code, tmp_path, step)
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    assert make(tmp_path).get("a") == Secret("sk-secret")
    make(tmp_path).put("b", Secret("sk-other"))
    make(tmp_path).renew_key_file()
    assert make(tmp_path).names() == ["a", "b"]
    assert store.keys.key_file.read_text() != old
    assert not coming(store.keys.key_file).exists()


def test_another_key_opens_what_was_sealed_again_and_the_old_one_no_longer(store, tmp_path):
    store.reseal(read_key(PHRASE, "the prompt"))
    assert make(tmp_path, MAXPOOL_SECRET_KEY=PHRASE).get("a") == Secret("sk-secret")
    with pytest.raises(SecretError, match="does not hold the key"):
        store.get("a")


def test_what_is_no_list_of_entries_is_told(store):
    key = store.keys.current()
    assert key is not None
    store.path.write_bytes(store.sealer.seal(json.dumps([1]).encode(), key))
    with pytest.raises(SecretError, match="holds no entries"):
        store.get("a")
