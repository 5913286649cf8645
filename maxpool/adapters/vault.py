"""Secrets in the operating system's keyring: the one door to the keyring library.

Only backends that really keep a secret, and keep it from others, are used, whatever else is installed
or configured; each proves itself with an entry written, read and deleted before it is trusted. Every
call runs in a thread of its own with a time limit, so that a keyring which waits for somebody, or
hangs, holds up nobody. Where an entry belongs is decided elsewhere.
"""

from __future__ import annotations

import configparser
import queue
import secrets
import threading
import traceback
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from maxpool.adapters import process
from maxpool.errors import SecretError
from maxpool.ports import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyring.backend import KeyringBackend

T = TypeVar("T")

SECRET_SERVICE = "keyring.backends.SecretService.Keyring"  # noqa: S105 - a name
BACKENDS: Mapping[str, str] = {
    "keyring.backends.macOS.Keyring": "the macOS keychain",
    "keyring.backends.Windows.WinVaultKeyring": "the Windows credential manager",
    SECRET_SERVICE: "the Secret Service",
    "keyring.backends.libsecret.Keyring": "the Secret Service (libsecret)",
    "keyring.backends.kwallet.DBusKeyring": "KWallet",
}
"""What may be used, and its name for people. Others lose secrets (null), write them readable
(keyrings.alt), or ask for pass phrases on standard input (keyrings.cryptfile)."""

BACKEND_VARIABLE = "PYTHON_KEYRING_BACKEND"
SELF_TEST = "self-test"
FILE_HINT = (
    "Unlock it, or use an encrypted file: maxpool secrets init, then: maxpool secrets move file"
)


@dataclass(slots=True)
class KeyringStore:
    """Entries of one service in the OS keyring. `find` gives the backend, or raises SecretError.

    `prompts`: somebody sits there, so a locked keyring may ask for its pass phrase in its own window.
    """

    service: str
    timeout_s: float = 5.0
    prompts: bool = False
    find: Callable[[], KeyringBackend] = field(default_factory=lambda: find_backend)
    _worker: _Worker = field(init=False)
    _backend: KeyringBackend | None = field(default=None, init=False)
    _proven: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._worker = _Worker()

    @property
    def place(self) -> str:
        """For people; asks nothing."""
        found = BACKENDS.get(_path(type(self._backend))) if self._backend is not None else None
        return f"the OS keyring ({found})" if found else "the OS keyring"

    def trouble(self) -> SecretError | None:
        """Why it cannot be used now, None when it has proven itself. Blocks up to the time limit."""
        try:
            self._ask(self._prove)
        except SecretError as error:
            return error
        return None

    def get(self, name: str) -> Secret | None:
        """The entry, None when there is none; raises SecretError."""
        found = self._ask(lambda backend: backend.get_password(self.service, name))
        return Secret(found) if found is not None else None

    def put(self, name: str, value: Secret) -> None:
        """Write an entry and read it back; raises SecretError."""

        def write(backend: KeyringBackend) -> None:
            self._prove(backend)
            backend.set_password(self.service, name, value.reveal())
            if backend.get_password(self.service, name) != value.reveal():
                raise SecretError("the keyring lost what was just written to it", FILE_HINT)

        self._ask(write)

    def delete(self, name: str) -> None:
        """Remove an entry, if there is one; raises SecretError."""

        def remove(backend: KeyringBackend) -> None:
            if backend.get_password(self.service, name) is not None:
                backend.delete_password(self.service, name)

        self._ask(remove)

    def _prove(self, backend: KeyringBackend) -> None:
        """Write, read and delete an entry, once."""
        if self._proven:
            return
        # Named for the process: two that start together must not read each other's.
        name, text = f"{SELF_TEST}-{process.pid()}", secrets.token_hex(8)
        backend.set_password(self.service, name, text)
        if backend.get_password(self.service, name) != text:
            raise SecretError("the keyring does not give back what is written to it", FILE_HINT)
        backend.delete_password(self.service, name)
        self._proven = True

    def _ask(self, question: Callable[[KeyringBackend], T]) -> T:
        try:
            return self._worker.run(lambda: self._answer(question), self.timeout_s)
        except SecretError:
            raise
        except TimeoutError:
            raise SecretError("the keyring does not answer", FILE_HINT) from None
        except Exception as error:  # noqa: BLE001 - backends raise what their systems do
            self._backend, self._proven = None, False  # it may be another one next time
            raise _failed(error) from None

    def _answer(self, question: Callable[[KeyringBackend], T]) -> T:
        """Put the question, twice where the first try fails: the service behind it may have ended.

        Desktops start a new one then. Whatever is asked here may be asked again.
        """
        from keyring.errors import KeyringLocked

        try:
            return self._put(question)
        except (SecretError, KeyringLocked):
            raise
        except Exception as error:  # noqa: BLE001 - backends raise what their systems do
            traceback.clear_frames(error.__traceback__)
            self._backend, self._proven = None, False
        return self._put(question)

    def _put(self, question: Callable[[KeyringBackend], T]) -> T:
        if self._backend is None:
            self._backend = self.find()
        if not self.prompts:
            refuse_locked(self._backend)
        return question(self._backend)


def find_backend() -> KeyringBackend:
    """The best allowed backend that works here; raises SecretError that says why none does.

    One that the user chose by keyring's own means is used if it is allowed, and no other then.
    """
    chosen = _chosen()
    if chosen is not None and chosen not in BACKENDS:
        raise SecretError(f"the keyring is set to {chosen}, which is not safe to use", FILE_HINT)
    found, troubles = [], []
    for path in BACKENDS if chosen is None else (chosen,):
        module, _, name = path.rpartition(".")
        try:
            backend: Any = getattr(import_module(module), name)
            found.append((float(backend.priority), path, backend))
        except OSError as error:
            troubles.append((path, f"the session's D-Bus does not answer ({_brief(error)})"))
        except Exception as error:  # noqa: BLE001 - "not viable" is whatever its system raises
            troubles.append((path, _brief(error)))
    if not found:
        likeliest = dict(troubles).get(SECRET_SERVICE, troubles[0][1])
        raise SecretError(f"there is no keyring here: {likeliest}", FILE_HINT)
    best: KeyringBackend = max(found, key=lambda one: one[0])[2]()
    return best


def refuse_locked(backend: KeyringBackend) -> None:
    """Raise KeyringLocked where using the backend would open a window; asks the Secret Service only.

    The server looks again every few seconds, and nobody wants that many windows.
    """
    if _path(type(backend)) != SECRET_SERVICE:
        return
    import secretstorage
    from keyring.errors import KeyringLocked

    with closing(secretstorage.dbus_init()) as connection:
        try:
            locked = secretstorage.Collection(connection).is_locked()
        except secretstorage.ItemNotFoundException:
            raise KeyringLocked("there is no default collection") from None
    if locked:
        raise KeyringLocked("the default collection is locked")


def _chosen() -> str | None:
    """The backend that the user named for all programs: the variable, else keyring's own file.

    Read without loading what it names: that is somebody else's code.
    """
    named = process.environment().get(BACKEND_VARIABLE)
    if named:
        return named
    from keyring.util import platform_

    parser = configparser.RawConfigParser()
    try:
        parser.read(platform_.config_root() / "keyringrc.cfg", encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return None
    return parser.get("backend", "default-keyring", fallback="").strip() or None


class _Worker:
    """One daemon thread for calls that may never return; while one does not, others fail at once.

    A daemon thread, because the end of the process must not wait for a keyring's window.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()
        self._stuck: _Job | None = None

    def run(self, call: Callable[[], T], timeout_s: float) -> T:
        """What `call` returns or raises; TimeoutError when it, or an earlier one, takes too long."""
        job = _Job(call)
        with self._turn:
            if self._stuck is not None and not self._stuck.done.is_set():
                raise TimeoutError
            self._stuck = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="keyring", daemon=True)
                self._thread.start()
            self._jobs.put(job)
            if not job.done.wait(timeout_s):
                self._stuck = job
                raise TimeoutError
        if job.error is not None:
            raise job.error
        found: T = job.result
        return found

    def _serve(self) -> None:
        while True:
            self._jobs.get().work()


@dataclass(slots=True, eq=False)
class _Job:
    call: Callable[[], Any]
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None

    def work(self) -> None:
        try:
            self.result = self.call()
        except BaseException as error:  # noqa: BLE001 - it is raised where the call was asked for
            self.error = error
        self.done.set()


def _failed(error: Exception) -> SecretError:
    """The same in our words. Backends leave connections in what they raise; those end here."""
    from keyring.errors import KeyringLocked

    traceback.clear_frames(error.__traceback__)
    if isinstance(error, KeyringLocked):
        return SecretError("the keyring is locked", FILE_HINT)
    return SecretError(f"the keyring failed: {_brief(error)}", FILE_HINT)


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _brief(error: Exception) -> str:
    """The error for people: its first line, without what a backend might quote at length."""
    first = (str(error).splitlines() or [""])[0].strip().rstrip(".")
    return first[:160] or type(error).__name__
