"""Facts about this process and its surroundings: environment, pid, open files, time zone.

One of the two places that read the environment (the other is config/). It decides nothing.
"""

from __future__ import annotations

import os
import time
import urllib.request
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def environment() -> Mapping[str, str]:
    """The environment's variables, as they are now."""
    return os.environ


def pid() -> int:
    """This process's id."""
    return os.getpid()


def is_running(process_id: int) -> bool:
    """Whether a process with that id exists (it may belong to somebody else)."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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
