"""Facts about this process and its surroundings: environment, pid, open files, time zone.

One of the two places that read the environment (the other is config/). It decides nothing.
"""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HANDOVER_VARIABLE = "MAXPOOL_HANDOVER"
"""The descriptor by which a server process talks to the one that started it to take over."""

SECRET_KEY_VARIABLE = "MAXPOOL_SECRET_KEY"  # noqa: S105 - a variable's name


def environment() -> Mapping[str, str]:
    """The environment's variables, as they are now."""
    return os.environ


def without_own_key(environment: Mapping[str, str]) -> dict[str, str]:
    """What a program that we start may see of ours: all but the key to the encrypted logins."""
    return {name: value for name, value in environment.items() if name != SECRET_KEY_VARIABLE}


def take_handover() -> int | None:
    """That descriptor, once: programs that this process starts must not see it."""
    number = os.environ.pop(HANDOVER_VARIABLE, "")
    return int(number) if number.isascii() and number.isdigit() else None


def pid() -> int:
    """This process's id."""
    return os.getpid()


def has_file_modes() -> bool:
    """Whether the system knows owner, group and others on files (Windows does not)."""
    return os.name == "posix"


def is_running(process_id: int) -> bool:
    """Whether a process with that id exists (it may belong to somebody else)."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def ended_child() -> int | None:
    """A child that has ended and that nobody has taken note of; it stays so until `reap`."""
    with suppress(ChildProcessError):
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found.si_pid if found is not None else None
    return None


def reap(process_id: int) -> None:
    """Take note of an ended child, so that nothing of it is left."""
    with suppress(ChildProcessError):
        os.waitpid(process_id, os.WNOHANG)


def kill_group(leader: int) -> None:
    """End a process that leads its own group, and all that is in the group, at once."""
    with suppress(ProcessLookupError, PermissionError):
        if has_file_modes():
            os.killpg(leader, signal.SIGKILL)
        else:
            os.kill(leader, signal.SIGTERM)


def raise_open_files_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what holds now (0: unknown).

    Each stream takes two sockets, and many systems still start shells with a soft limit of 256
    (macOS) or 1,024 files.
    """
    try:
        import resource  # absent on Windows
    except ImportError:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, 65_536, 10_240):  # macOS refuses "unlimited" and anything over 10,240
        if limit == resource.RLIM_INFINITY or limit <= soft:
            continue
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (ValueError, OSError):
            continue
        return int(limit)
    return int(soft)


def listener_on(port: int) -> str | None:
    """`name (pid N)` of a process listening on TCP `port`, where the system lets us see it (Linux)."""
    inodes = {
        fields[9]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for fields in map(str.split, _lines(table))
        if len(fields) > 9 and fields[3] == "0A" and fields[1].endswith(f":{port:04X}")
    }
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for entry in Path("/proc").glob("[0-9]*/fd/*") if wanted else ():
        try:
            if os.readlink(entry) in wanted:
                folder = entry.parent.parent
                name = (folder / "comm").read_text(errors="replace").strip()
                return f"{name} (pid {folder.name})"
        except OSError:  # another user's process, or one that just ended
            continue
    return None


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def local_utc_offset_s(at: float) -> int:
    """Seconds to add to UTC to get local time at epoch second `at`, summer time included."""
    return time.localtime(at).tm_gmtoff


class EnvironmentProxies:
    """Which proxy a request goes through, by HTTP(S)_PROXY, ALL_PROXY and NO_PROXY as they are now.

    Loopback is never proxied, whatever the variables say.
    """

    def __init__(self) -> None:
        self._proxies = urllib.request.getproxies_environment()

    def __call__(self, scheme: str, host: str) -> str | None:
        """The proxy's URL for `scheme://host`, or None."""
        found = self._proxies.get(scheme) or self._proxies.get("all")
        if not found or is_loopback(host):
            return None
        # Typeshed knows this function on macOS only.
        if urllib.request.proxy_bypass_environment(host, self._proxies):  # type: ignore[attr-defined,unused-ignore]
            return None
        return found if "://" in found else f"http://{found}"


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without brackets) is this machine's loopback."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
