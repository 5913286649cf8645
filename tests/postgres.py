"""A real PostgreSQL server for tests, in a folder of its own, reached by a socket, gone at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGED = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
"""Where Debian puts the server's programs: not on the path."""


def program(name: str) -> str | None:
    """Where one of its programs is, the packaged ones first."""
    places = [folder / name for folder in PACKAGED if (folder / name).exists()]
    return str(places[0]) if places else shutil.which(name)


needs_postgres = pytest.mark.skipif(
    program("initdb") is None or program("pg_ctl") is None,
    reason="no PostgreSQL: scripts/test installs it where it may",
)


@contextmanager
def server() -> Iterator[str]:
    """A fresh server; gives the URL of its database."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    as_other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_other:  # it refuses to run as root
        shutil.chown(folder, "postgres")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 60}

    def run(*command: str | None) -> None:
        subprocess.run([*as_other, *map(str, command)], check=True, cwd="/", **quiet)  # type: ignore[call-overload]

    data = str(folder / "data")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    try:
        run(program("initdb"), "-D", data, "-U", "maxpool", "--auth=trust", "--no-sync")
        run(program("pg_ctl"), "-D", data, "-o", options, "-w", "-l", str(folder / "log"), "start")
        try:
            yield f"postgresql://maxpool@/postgres?host={folder}"
        finally:
            run(program("pg_ctl"), "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_database(url: str) -> str:
    """The URL of a new, empty database of that server."""
    import psycopg

    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("/postgres?", f"/{name}?")
