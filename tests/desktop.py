"""A desktop session for tests: a private D-Bus with a real keyring on it, gone when the test ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = "org.freedesktop.secrets"
PASS_PHRASE = "a pass phrase"
PROGRAMS = ("dbus-daemon", "gnome-keyring-daemon")
missing = [program for program in PROGRAMS if shutil.which(program) is None]

needs_desktop = pytest.mark.skipif(
    bool(missing), reason=f"no {' and no '.join(missing)}: scripts/test installs them where it may"
)

SERVICE = """[D-BUS Service]
Name={name}
Exec=/bin/sh -c "printf '{phrase}' | exec gnome-keyring-daemon --unlock --foreground --components=secrets"
"""
CONFIG = """<busconfig><type>session</type><keep_umask/><listen>unix:tmpdir=/tmp</listen>
<servicedir>{services}</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"""


@contextmanager
def session(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a fresh session without a keyring."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = folder / "bus.conf"
    config.write_text(CONFIG.format(services=folder / "services"))
    env = {name: str(folder) for name in ("HOME", "XDG_RUNTIME_DIR")}
    env["XDG_DATA_HOME"] = str(folder / "data")
    bus = subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **env},
    )
    assert bus.stdout is not None
    try:
        yield {"DBUS_SESSION_BUS_ADDRESS": bus.stdout.readline().strip(), **env}
    finally:
        bus.terminate()
        bus.wait(10)
        bus.stdout.close()


def start_keyring(env: Mapping[str, str]) -> None:
    """Start the keyring, unlocked, and again whenever it is asked for after it has ended.

    It answers when this returns, and ends with its bus.
    """
    from jeepney import message_bus  # there on Linux only, as the programs are
    from jeepney.io.blocking import Proxy, open_dbus_connection

    services = Path(env["HOME"]) / "services"
    services.mkdir()
    text = SERVICE.format(name=NAME, phrase=PASS_PHRASE)
    (services / f"{NAME}.service").write_text(text)
    with open_dbus_connection(env["DBUS_SESSION_BUS_ADDRESS"]) as connection:
        bus = Proxy(message_bus, connection, timeout=30)
        bus.ReloadConfig()
        bus.StartServiceByName(NAME)


def end_keyring(env: Mapping[str, str]) -> None:
    """End it, as a crash does."""
    from jeepney import message_bus
    from jeepney.io.blocking import Proxy, open_dbus_connection

    with open_dbus_connection(env["DBUS_SESSION_BUS_ADDRESS"]) as connection:
        (pid,) = Proxy(message_bus, connection, timeout=30).GetConnectionUnixProcessID(NAME)
        os.kill(pid, signal.SIGKILL)


def lock_keyring() -> None:
    """Lock it, as a screen saver may; nobody is there to unlock it."""
    import secretstorage

    connection = secretstorage.dbus_init()
    try:
        secretstorage.get_default_collection(connection).lock()
    finally:
        connection.close()


def unlock_keyring() -> None:
    """Unlock it, by the door that GNOME's own login uses."""
    from jeepney import DBusAddress, MessageType, new_method_call
    from jeepney.io.blocking import open_dbus_connection

    service = DBusAddress("/org/freedesktop/secrets", NAME, "org.freedesktop.Secret.Service")
    login = DBusAddress(
        "/org/freedesktop/secrets",
        NAME,
        "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface",
    )
    with open_dbus_connection(os.environ["DBUS_SESSION_BUS_ADDRESS"]) as connection:
        plain = new_method_call(service, "OpenSession", "sv", ("plain", ("s", "")))
        opened = connection.send_and_get_reply(plain).body[1]
        secret = (opened, b"", PASS_PHRASE.encode(), "text/plain")
        collection = "/org/freedesktop/secrets/collection/login"
        ask = new_method_call(login, "UnlockWithMasterPassword", "o(oayays)", (collection, secret))
        answer = connection.send_and_get_reply(ask)
        assert answer.header.message_type is MessageType.method_return, answer.body


@contextmanager
def keyring_session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """This process, as if it had been started in a session with an unlocked keyring."""
    with session(folder) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
        start_keyring(env)
        yield env
