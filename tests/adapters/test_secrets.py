from __future__ import annotations

import json
import sys
import time

import pytest

from maxpool.adapters.secretfile import Keys, SecretFile
from maxpool.adapters.secrets import ReferenceSecrets, VaultSecrets
from maxpool.errors import SecretError
from maxpool.ports import Secret
from maxpool.wire.credential import StoredCredential, encode


@pytest.fixture
def source(tmp_path):
    return ReferenceSecrets(folder=tmp_path, environment={"KEY": "sk-1", "EMPTY": ""})


def python(code) -> str:
    return "command:" + json.dumps([sys.executable, "-c", code])


def test_env_gives_the_variable(source):
    assert source.resolve("env:KEY").reveal() == "sk-1"


def test_a_file_of_its_owner_alone_gives_its_text_without_the_line_end(source, tmp_path):
    path = tmp_path / "key"
    path.write_text("sk-2\r\n")
    path.chmod(0o600)
    assert source.resolve(f"file:{path}").reveal() == "sk-2"
    assert source.resolve("file:key").reveal() == "sk-2"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_file_that_others_can_reach_is_refused_with_the_remedy(source, tmp_path, mode):
    path = tmp_path / "key"
    path.write_text("sk-3")
    path.chmod(mode)
    with pytest.raises(SecretError) as caught:
        source.resolve("file:key")
    assert caught.value.hint == f"Run: chmod 600 {path}"


def test_a_command_runs_without_a_shell(source, tmp_path):
    assert source.resolve(python("print('sk-4')")).reveal() == "sk-4"
    plain = f"command:{sys.executable} -c \"import sys; print(sys.argv[1])\" '$HOME; touch x'"
    assert source.resolve(plain).reveal() == "$HOME; touch x"
    assert list(tmp_path.iterdir()) == []


def test_a_command_never_sees_the_key_to_the_logins(source, monkeypatch):  # X4
    monkeypatch.setenv("MAXPOOL_SECRET_KEY", "ab" * 32)
    shows = (
        "import os; print(os.environ.get('MAXPOOL_SECRET_KEY', 'nothing'), 'HOME' in os.environ)"
    )
    assert source.resolve(python(shows)).reveal() == "nothing True"


def test_a_command_that_hangs_is_ended(tmp_path):
    source = ReferenceSecrets(folder=tmp_path, command_timeout_s=0.2)
    start = time.perf_counter()
    code = (
        "import subprocess as s, sys; s.run([sys.executable, '-c', 'import time; time.sleep(30)'])"
    )
    with pytest.raises(SecretError, match=r"did not answer within 0\.2 s"):
        source.resolve(python(code))
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    "reference",
    [
        "sk-secret",
        "",
        "env:",
        "env:NONE",
        "env:EMPTY",
        "file:none",
        "file:.",
        "vault:x",
        "command:",
        "command:[1]",
        "command:[",
        "command:'open",
        "command:no-such-program-at-all",
        python("print('sk-secret'); raise SystemExit(3)"),
        python("print('sk-secret\\nsk-secret')"),
        python("print('sk-secret\\x00')"),
        python("import sys; sys.stdout.buffer.write(b'sk-secret\\xff')"),
        python("while True: print('sk-secret' * 1000)"),
    ],
)
def test_what_gives_no_secret_is_an_error_with_a_hint_and_without_the_secret(source, reference):
    with pytest.raises(SecretError) as caught:
        source.resolve(reference)
    told = caught.value.message + caught.value.hint + repr(caught.value.__cause__)
    assert "sk-secret" not in told
    assert caught.value.hint


@pytest.fixture
def vault(tmp_path, source):
    file = SecretFile(tmp_path, Keys({"MAXPOOL_SECRET_KEY": "ab" * 32}, None))
    return VaultSecrets(file, source)


def test_a_login_is_found_in_the_vault_and_all_else_where_it_was(vault):
    credential = StoredCredential(secret="sk-5", origin="https://a", refresh_token="rt-5")
    vault.vault.put("a", Secret(encode(credential)))
    assert vault.resolve("vault:a").reveal() == "sk-5"
    assert vault.resolve("vault?:a").reveal() == "sk-5"
    assert vault.resolve("env:KEY").reveal() == "sk-1"


def test_a_missing_login_is_an_error_only_where_there_must_be_one(vault):
    assert vault.resolve("vault?:a").reveal() == ""
    with pytest.raises(SecretError, match="nobody has logged in") as caught:
        vault.resolve("vault:a")
    assert caught.value.hint == "Run: maxpool login NAME"


@pytest.mark.parametrize(
    "text", ["sk-secret", "{}", '{"version":1,"secret":"sk-secret\\nx","origin":""}']
)
def test_an_entry_that_is_none_is_told_without_quoting_it(vault, text):
    vault.vault.put("a", Secret(text))
    with pytest.raises(SecretError) as caught:
        vault.resolve("vault:a")
    told = caught.value.message + caught.value.hint + repr(caught.value.__cause__)
    assert "sk-secret" not in told
