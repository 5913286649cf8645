"""Secrets by reference: `env:NAME`, `file:PATH`, `command:...`, and `vault:ID`.

Reads what the config file points at and nothing else. It never caches, logs or repeats a secret:
errors name the reference (a variable, a path, a program), never what was found there.
"""

from __future__ import annotations

import json
import shlex
import stat
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maxpool.adapters import process
from maxpool.errors import SecretError
from maxpool.ports import Secret
from maxpool.wire.credential import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.ports import SecretSource, Vault

OF_VAULT, MAYBE_OF_VAULT = "vault", "vault?"
"""The first words of references to the vault; the second kind may have no entry."""

MAX_SECRET_BYTES = 64 * 1024
"""Larger than any key or login: what is longer is not a secret but a wrong path."""

COMMAND_TIMEOUT_S = 10.0
"""Password managers answer in well under a second unless they wait for somebody."""


@dataclass(frozen=True, slots=True)
class VaultSecrets:
    """`ports.SecretSource`: `vault:ID` and `vault?:ID` from the vault, all others from the next source."""

    vault: Vault
    source: SecretSource

    def resolve(self, reference: str) -> Secret:
        """The secret behind `reference`; empty where `vault?:` finds no entry. Raises SecretError."""
        kind, _, name = reference.partition(":")
        if kind not in (OF_VAULT, MAYBE_OF_VAULT):
            return self.source.resolve(reference)
        found = self.vault.get(name)
        if found is None:
            if kind == MAYBE_OF_VAULT:
                return Secret("")
            raise SecretError("nobody has logged in for it yet", "Run: maxpool login NAME")
        try:
            return _checked(decode(found.reveal()).secret, kind)
        except ValueError as error:
            raise SecretError(
                f"what {self.vault.place} holds for it cannot be read: {error}",
                "Log in again: maxpool login NAME",
            ) from None


class ReferenceSecrets:
    """`ports.SecretSource`: resolves references; relative paths start at `folder` (the config's)."""

    def __init__(
        self,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> None:
        self._folder = folder or Path()
        self._environment = process.environment() if environment is None else environment
        self._command_timeout_s = command_timeout_s

    def resolve(self, reference: str) -> Secret:
        """The secret behind `reference`; raises SecretError. Blocks on `file:` and `command:`.

        `command:` is a JSON list of arguments, or words as a shell would split them; no shell runs.
        """
        kind, _, rest = reference.partition(":")
        rest = rest.strip()
        match kind:
            case "env" if rest:
                value = self._from_environment(rest)
            case "file" if rest:
                value = self._from_file(rest)
            case "command" if rest:
                value = self._from_command(rest)
            case _:
                raise SecretError(
                    "a secret must be a reference", "Write env:NAME, file:PATH or command:PROGRAM"
                )
        return _checked(value, kind)

    def _from_environment(self, name: str) -> str:
        try:
            return self._environment[name]
        except KeyError:
            raise SecretError(
                f"the environment variable {name} is not set", f"Set {name}, then start again"
            ) from None

    def _from_file(self, name: str) -> str:
        path = self._folder / Path(name).expanduser()
        try:
            with path.open("rb") as file:
                status = path.stat()
                if not stat.S_ISREG(status.st_mode):
                    raise SecretError(f"{path} is not a file", "Name a file that holds the secret")
                if process.has_file_modes() and status.st_mode & 0o077:
                    raise SecretError(
                        f"{path} can be read by others (mode {status.st_mode & 0o777:04o})",
                        f"Run: chmod 600 {shlex.quote(str(path))}",
                    )
                data = file.read(MAX_SECRET_BYTES + 1)
        except OSError as exc:
            raise SecretError(
                f"cannot read {path}: {exc.strerror}", "Check the path and who may read it"
            ) from exc
        return _text(data, str(path))

    def _from_command(self, command: str) -> str:
        arguments = _arguments(command)
        program = arguments[0]
        try:
            code, data = _run(arguments, self._folder, self._command_timeout_s)
        except TimeoutError:
            raise SecretError(
                f"{program} did not answer within {self._command_timeout_s:g} s",
                "Unlock it first, or use a command that does not ask",
            ) from None
        except OSError as exc:
            raise SecretError(
                f"cannot run {program}: {exc.strerror}", "Give the program's full path"
            ) from exc
        if code != 0 and len(data) <= MAX_SECRET_BYTES:
            raise SecretError(
                f"{program} failed with exit code {code}",
                "Run the command by hand to see what it says",
            )
        return _text(data, f"the output of {program}")


def _run(arguments: list[str], folder: Path, timeout_s: float) -> tuple[int, bytes]:
    """Exit code and at most one byte more than a secret may have; raises TimeoutError, OSError."""
    late = threading.Event()
    # The argument list comes from the config file only (X7), and no shell reads it.
    child = subprocess.Popen(  # noqa: S603
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=process.without_own_key(process.environment()),
        start_new_session=True,  # so that its own children end with it
    )

    def expire() -> None:
        late.set()
        process.kill_group(child.pid)

    timer = threading.Timer(timeout_s, expire)
    timer.start()
    try:
        assert child.stdout is not None
        with child.stdout:
            data = child.stdout.read(MAX_SECRET_BYTES + 1)
        if len(data) > MAX_SECRET_BYTES:
            process.kill_group(child.pid)
        code = child.wait()
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError
    return code, data


def _arguments(command: str) -> list[str]:
    try:
        parsed = json.loads(command) if command.startswith("[") else shlex.split(command)
    except ValueError:
        parsed = None
    if isinstance(parsed, list) and parsed and all(isinstance(item, str) for item in parsed):
        return [str(Path(parsed[0]).expanduser()), *parsed[1:]]
    raise SecretError(
        "the command of a secret cannot be read",
        'Write it as a list: command:["pass", "show", "console"]',
    )


def _text(data: bytes, where: str) -> str:
    if len(data) > MAX_SECRET_BYTES:
        raise SecretError(f"{where} is longer than any secret", "Check what the reference names")
    try:
        return data.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretError(f"{where} is not text", "Check what the reference names") from None


def _checked(value: str, kind: str) -> Secret:
    if not value:
        raise SecretError(f"the {kind}: reference gave an empty secret", "Check what it names")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in value):
        # A line break in a header value would split the request.
        raise SecretError(
            f"the {kind}: reference gave more than one line, or control characters",
            "The secret alone must be there, on one line",
        )
    return Secret(value)
