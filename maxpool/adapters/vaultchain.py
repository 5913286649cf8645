"""The vault: one place out of two (OS keyring, encrypted file), and which entry is in which.

The rule: the place that takes the first secret takes all that follow. With `[secrets] store = "auto"`
that is the keyring if it proves itself, else the file if there is a key; with a store named, that
one. An index beside them (no secret in it) remembers the choice and where each entry is, so an entry
is read where it was written, whatever works or is configured later, and is never in two places: a
place that does not work now is an error, not a reason to begin another.
"""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from maxpool.adapters.lock import make_private_folder
from maxpool.adapters.privatefile import locked, write_private
from maxpool.adapters.secretfile import INIT_HINT, LOCK_NAME
from maxpool.errors import SecretError, StateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from maxpool.adapters.secretfile import SecretFile
    from maxpool.adapters.vault import KeyringStore
    from maxpool.ports import Secret

log = logging.getLogger("maxpool.secrets")

INDEX_NAME = "vault.json"
INDEX_VERSION = 1

Place = Literal["keyring", "file"]


@dataclass(slots=True, kw_only=True)
class Index:
    """Which place was chosen first, and where each entry is.

    `remnants`: where an older entry could not be removed; nobody may read it again.
    """

    chosen: Place | None = None
    entries: dict[str, Place] = field(default_factory=dict)
    remnants: dict[str, Place] = field(default_factory=dict)


@dataclass(slots=True)
class ChosenVault:
    """`ports.Vault` over both places. `preferred` is `[secrets] store`."""

    folder: Path
    keyring: KeyringStore
    file: SecretFile
    preferred: Literal["auto", "keyring", "file"] = "auto"
    timeout_s: float = 5.0

    @property
    def place(self) -> str:
        """Where the next entry goes, for people; asks neither place."""
        chosen = self.chosen()
        if chosen is None:
            return "the OS keyring or an encrypted file, whichever works at the first login"
        return self.at(chosen).place

    def chosen(self) -> Place | None:
        """The place that takes every secret, None before the first one."""
        if self.preferred != "auto":
            return self.preferred
        index = self.index()
        if index.chosen is None and self.file.path.exists():
            return "file"
        return index.chosen

    def check(self) -> None:
        """Raise SecretError, with what to do, unless a secret could be written now. Blocks."""
        chosen = self._target()
        trouble = self.at(chosen).trouble()
        if trouble is not None:
            raise trouble

    def get(self, name: str) -> Secret | None:
        """The entry, None when there is none; raises SecretError when its place does not answer."""
        index = self.index()
        where = index.entries.get(name)
        if where is None:
            return self._unlisted(name, index)
        found = self.at(where).get(name)
        if found is None and self.index().entries.get(name, where) != where:
            return self.get(name)  # it was moved meanwhile
        return found

    def put(self, name: str, value: Secret) -> None:
        """Write an entry, durably; raises SecretError, and the old one holds then."""
        self._write(name, value, self._target())

    def move(self, name: str, target: Place) -> None:
        """Take an entry to `target`; raises SecretError, and it stays where it was then.

        Nobody else may write it meanwhile: hold the account's refresh lock.
        """
        value = self.get(name)
        if value is not None:
            self._write(name, value, target)

    def choose(self, target: Place) -> None:
        """Let `target` take what comes from now on, where the config names no place."""
        with self._changing() as index:
            index.chosen = target

    def _write(self, name: str, value: Secret, target: Place) -> None:
        before = self.index().entries.get(name)
        self.at(target).put(name, value)
        with self._changing() as index:
            index.entries[name] = target
            index.chosen = index.chosen or target
            if index.remnants.get(name) == target:
                del index.remnants[name]
        if before is not None and before != target:
            self._drop(name, before)

    def delete(self, name: str) -> None:
        """Remove an entry, if there is one; raises SecretError when its place does not answer."""
        where = self.index().entries.get(name)
        if where is not None:
            self.at(where).delete(name)
            with self._changing() as index:
                index.entries.pop(name, None)
                if not index.entries:
                    index.chosen = None
        remnant = self.index().remnants.get(name)
        if remnant is not None:
            self._drop(name, remnant)
        if where is not None or remnant is not None:
            return
        self.file.delete(name)
        if self._may_be_in_keyring(self.index()):
            self._drop(name, "keyring")

    def listed(self) -> dict[str, Place]:
        """Where each entry is: by the index, and what else the file holds if it can be opened."""
        found: dict[str, Place] = {}
        with suppress(SecretError):
            found = dict.fromkeys(self.file.names() if self.file.path.exists() else (), "file")
        index = self.index()
        left = [name for name, place in index.remnants.items() if place == "file"]
        return {n: p for n, p in found.items() if n not in left} | index.entries

    def index(self) -> Index:
        """The index as it is; an empty one where there is none or it cannot be read."""
        try:
            data = json.loads((self.folder / INDEX_NAME).read_bytes())
            if data["version"] != INDEX_VERSION:
                return Index()
            chosen = data.get("chosen")
            return Index(
                chosen=chosen if chosen in ("keyring", "file") else None,
                entries=_places(data["entries"]),
                remnants=_places(data.get("remnants", {})),
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return Index()

    def _unlisted(self, name: str, index: Index) -> Secret | None:
        """An entry that the index does not know: it was lost, or there is no such entry.

        A place that does not answer counts as "none" here: there is no sign that it holds one.
        """
        remnant = index.remnants.get(name)
        in_file = self.file.path.exists() and remnant != "file"
        found = self.file.get(name) if in_file else None
        if found is not None or remnant == "keyring" or not self._may_be_in_keyring(index):
            return found
        try:
            return self.keyring.get(name)
        except SecretError:
            return None

    def _may_be_in_keyring(self, index: Index) -> bool:
        return self.preferred != "file" and index.chosen != "file"

    def _target(self) -> Place:
        """Where a new entry goes; raises SecretError where there is no place for one."""
        chosen = self.chosen()
        if chosen is not None:
            return chosen
        no_keyring = self.keyring.trouble()
        if no_keyring is None:
            return "keyring"
        no_file = self.file.trouble()
        if no_file is None:
            return "file"
        hint = no_file.hint or INIT_HINT
        if "locked" in no_keyring.message:  # its owner may well want that one
            hint = f"Unlock the keyring, or use the encrypted file. {hint}"
        raise SecretError(
            f"there is no place for secrets: {no_keyring.message}; {no_file.message}", hint
        )

    def at(self, place: Place) -> KeyringStore | SecretFile:
        """One of the two places."""
        return self.keyring if place == "keyring" else self.file

    def _drop(self, name: str, place: Place) -> None:
        """Remove what is no longer read; where that fails it is only a remnant."""
        left = None
        try:
            self.at(place).delete(name)
        except SecretError as error:
            log.info("an old entry stays in %s: %s", place, error.message)
            left = place
        if left != self.index().remnants.get(name):
            with suppress(SecretError), self._changing() as index:
                index.remnants.pop(name, None)
                if left is not None:
                    index.remnants[name] = left

    @contextmanager
    def _changing(self) -> Iterator[Index]:
        """The index, to be changed; written when the block ends well and something changed."""
        path = self.folder / INDEX_NAME
        try:
            make_private_folder(self.folder)
            with locked(self.folder / LOCK_NAME, self.timeout_s):
                index = self.index()
                before = _text(index)
                yield index
                if _text(index) != before or not path.exists():
                    write_private(path, _text(index).encode())
        except TimeoutError:
            raise SecretError(
                f"another process is changing {path} and does not end",
                f"See who holds {self.folder / LOCK_NAME}",
            ) from None
        except StateError as error:
            raise SecretError(error.message, error.hint) from error
        except OSError as error:
            raise SecretError(
                f"cannot write {path}: {error.strerror}",
                "Make room, or check who owns the state folder; then try again",
            ) from error


def _places(found: dict[str, Place]) -> dict[str, Place]:
    return {str(name): place for name, place in found.items() if place in ("keyring", "file")}


def _text(index: Index) -> str:
    data: dict[str, object] = {
        "version": INDEX_VERSION,
        "chosen": index.chosen,
        "entries": index.entries,
    }
    if index.remnants:
        data["remnants"] = index.remnants
    return json.dumps(data, indent=1, sort_keys=True) + "\n"
