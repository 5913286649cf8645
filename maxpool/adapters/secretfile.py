"""Secrets in one encrypted file of the state folder, and where the key to it is found.

The key comes from outside (an environment variable, a file, systemd's credentials) or from the key
file in the config folder, which `maxpool secrets init` makes. A wrong key never overwrites anything,
and nothing here ever writes a secret as plain text.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from maxpool.adapters.lock import make_private_folder
from maxpool.adapters.privatefile import locked, looseness, sync_folder, write_private
from maxpool.adapters.process import SECRET_KEY_VARIABLE
from maxpool.adapters.sealed import Sealer, SealingKey, new_key, read_key
from maxpool.errors import SecretError, StateError
from maxpool.ports import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_NAME = "secrets.sealed"
LOCK_NAME = "secrets.lock"
KEY_NAME = "secret.key"
PURPOSE = "vault"

KEY_VARIABLE = SECRET_KEY_VARIABLE
KEY_FILE_VARIABLE = "MAXPOOL_SECRET_KEY_FILE"
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
CREDENTIAL_NAME = "maxpool-key"

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Ten thousand logins; what is larger is not this file."""

MAX_KEY_BYTES = 4096
INIT_HINT = "Make a key once, and keep a copy of it: maxpool secrets init"
LOST_HINT = f"Bring back the key it was sealed with: {KEY_VARIABLE}, a file named by {KEY_FILE_VARIABLE}, or {KEY_NAME}"


@dataclass(frozen=True, slots=True)
class Keys:
    """Where the key may be, in the order in which it is looked for; the first place that has one counts.

    `key_file`: the one in the config folder, None where there is no such folder.
    """

    environment: Mapping[str, str] = field(repr=False)
    key_file: Path | None

    def current(self) -> SealingKey | None:
        """The key, None when there is none anywhere; raises SecretError when it cannot be used."""
        return next(self.candidates(), None)

    def candidates(self) -> Iterator[SealingKey]:
        """Every key there is, the one that counts first."""
        given = self.environment.get(KEY_VARIABLE)
        if given is not None:
            yield read_key(given, KEY_VARIABLE)
        named = self.environment.get(KEY_FILE_VARIABLE)
        if named:
            yield _key_in(Path(named).expanduser())
        folder = self.environment.get(CREDENTIALS_VARIABLE)
        if folder and (credential := Path(folder) / CREDENTIAL_NAME).exists():
            # systemd guards that folder itself; the modes in it show an access list's mask.
            yield _key_in(credential, guarded=True)
        for path in self.files:
            if path.exists():
                yield _key_in(path)

    @property
    def files(self) -> tuple[Path, ...]:
        """The key file, and the one that a change of the key left half done."""
        if self.key_file is None:
            return ()
        return self.key_file, coming(self.key_file)


def coming(path: Path) -> Path:
    """Where a new key waits until everything is sealed with it."""
    return path.with_name(f"{path.name}.coming")


@dataclass(slots=True)
class SecretFile:
    """One encrypted file with all entries: name -> text. `timeout_s`: the longest wait for its lock."""

    folder: Path
    keys: Keys
    timeout_s: float = 5.0
    sealer: Sealer = field(default_factory=lambda: Sealer(PURPOSE))

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / FILE_NAME

    @property
    def place(self) -> str:
        """For people."""
        return f"the encrypted file {self.path}"

    def trouble(self) -> SecretError | None:
        """Why nothing could be written there now, None when all is well."""
        try:
            self._key()
            self._entries()
        except SecretError as error:
            return error
        return None

    def get(self, name: str) -> Secret | None:
        """The entry, None when there is none; raises SecretError."""
        text = self._entries().get(name)
        return Secret(text) if text is not None else None

    def names(self) -> list[str]:
        """Of all entries; raises SecretError."""
        return sorted(self._entries())

    def put(self, name: str, value: Secret) -> None:
        """Write an entry, durably; raises SecretError and leaves everything as it was."""
        with self._changing() as entries:
            entries[name] = value.reveal()

    def delete(self, name: str) -> None:
        """Remove an entry, if there is one; raises SecretError."""
        if self.path.exists() and name in self._entries():
            with self._changing() as entries:
                entries.pop(name, None)

    def reseal(self, key: SealingKey) -> None:
        """Seal everything with another key; raises SecretError and keeps the old one then."""
        with self._locked():
            self._reseal(key)

    def make_key_file(self) -> bool:
        """Make the key file with a random key, unless there is one; whether it was made."""
        path = self.keys.key_file
        assert path is not None
        with self._locked():
            if path.exists():
                return False
            try:
                make_private_folder(path.parent)
                write_private(path, f"{new_key()}\n".encode())
            except OSError as error:
                raise _unwritable(path, error) from error
        return True

    def renew_key_file(self) -> None:
        """Seal everything with a new random key in the key file; safe to be killed at any point.

        The new key waits beside the old one, durably, until the sealed file needs it, and takes its
        place then: at every moment one of the two files opens what is there.
        """
        path = self.keys.key_file
        assert path is not None
        waiting = coming(path)
        with self._locked():
            try:
                self._settle_keys()
                write_private(waiting, f"{new_key()}\n".encode())
                if self.path.exists():
                    self._reseal(_key_in(waiting))
                waiting.replace(path)
                sync_folder(path.parent)
            except OSError as error:
                raise _unwritable(path, error) from error

    def _settle_keys(self) -> None:
        """End a change of the key that was cut short: the file that fits stays, as the key file."""
        path = self.keys.key_file
        data = self._data()
        if path is None or not coming(path).exists():
            return
        if data is not None and self.sealer.fits(data, _key_in(coming(path))):
            coming(path).replace(path)
        else:
            coming(path).unlink()
        sync_folder(path.parent)

    def _reseal(self, key: SealingKey) -> None:
        data = self._data()
        if data is not None:
            plain = self.sealer.unseal(data, self._key())
            self._write(self.sealer.seal(plain, key))

    def _entries(self) -> dict[str, str]:
        try:
            return self._read()
        except SecretError:
            # The key may have been changed between the two reads; nobody changes it under the lock.
            with suppress(SecretError), self._locked():
                return self._read()
            raise

    def _read(self) -> dict[str, str]:
        data = self._data()
        return {} if data is None else self._open(data, self._key())

    @contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        """The entries, to be changed; written when the block ends well."""
        with self._locked():
            key, data = self._key(), self._data()
            entries = {} if data is None else self._open(data, key)
            yield entries
            plain = json.dumps(entries, separators=(",", ":")).encode()
            self._write(self.sealer.seal(plain, key, data))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            make_private_folder(self.folder)
            with locked(self.folder / LOCK_NAME, self.timeout_s):
                yield
        except TimeoutError:
            raise SecretError(
                f"another process is changing {self.path} and does not end",
                f"See who holds {self.folder / LOCK_NAME}",
            ) from None
        except StateError as error:
            raise SecretError(error.message, error.hint) from error
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _key(self) -> SealingKey:
        """The key for the file as it is: the one that counts, or the one of a change cut short."""
        key = self.keys.current()
        if key is None:
            hint = LOST_HINT if self.path.exists() else INIT_HINT
            raise SecretError(f"there is no key for {self.place}", hint)
        path = self.keys.key_file
        if path is None or key.origin != str(path) or not coming(path).exists():
            return key
        later, data = _key_in(coming(path)), self._data()
        return later if data is not None and self.sealer.fits(data, later) else key

    def _open(self, data: bytes, key: SealingKey) -> dict[str, str]:
        try:
            found = json.loads(self.sealer.unseal(data, key))
        except SecretError as error:
            other = self._fitting(data)
            hint = f"Only the key in {other} opens it: use that one" if other else error.hint
            raise SecretError(f"{self.path}: {error.message}", hint) from None
        if not isinstance(found, dict):
            raise SecretError(f"{self.path} holds no entries", "Take it from a back-up")
        return {str(name): str(text) for name, text in found.items()}

    def _fitting(self, data: bytes) -> str | None:
        """Where another key is that opens the file."""
        with suppress(SecretError):
            for key in self.keys.candidates():
                if self.sealer.fits(data, key):
                    return key.origin
        return None

    def _data(self) -> bytes | None:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SecretError(
                f"cannot read {self.path}: {error.strerror}", "Check who owns the state folder"
            ) from error
        if len(data) > MAX_FILE_BYTES:
            raise SecretError(f"{self.path} is far too large", "Take it from a back-up")
        return data

    def _write(self, data: bytes) -> None:
        try:
            write_private(self.path, data)
        except OSError as error:
            raise _unwritable(self.path, error) from error


def _key_in(path: Path, *, guarded: bool = False) -> SealingKey:
    loose = None if guarded else looseness(path)
    if loose is not None:
        raise SecretError(*loose)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_KEY_BYTES).decode()
    except OSError as error:
        raise SecretError(
            f"cannot read the key in {path}: {error.strerror}", "Check the path and who may read it"
        ) from error
    except UnicodeDecodeError:
        raise SecretError(
            f"the key in {path} is not text", "Write 32 random bytes in hex, or a pass phrase"
        ) from None
    return read_key(text, str(path))


def _unwritable(path: Path, error: OSError) -> SecretError:
    reason = error.strerror or os.strerror(error.errno or 0)
    return SecretError(
        f"cannot write {path}: {reason}", "Make room, or check who owns the folder; then try again"
    )
