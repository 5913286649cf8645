"""What short commands may load. Each module is time that a prompt or a shell waits for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.stub import account, picture, serving

LOADED = """
import sys
bare = set(sys.modules)
sys.argv[1:] = {arguments!r}
from maxpool.__main__ import main
try:
    main()
finally:
    print(*sorted(set(sys.modules) - bare), file=sys.stderr)
"""
SLOW = {"asyncio", "concurrent", "http", "multiprocessing", "ssl", "sqlite3", "unittest"}
"""Of the standard library: each takes as long as such a command may take as a whole."""


def loaded(arguments: list[str], folder: Path) -> set[str]:
    """The modules that a command loads over a bare interpreter."""
    around = {**os.environ, "MAXPOOL_HOME": str(folder), "MAXPOOL_CONFIG": str(folder / "c.toml")}
    code = LOADED.format(arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code], input=b"{}", env=around, capture_output=True, check=True
    )
    return set(done.stderr.decode().splitlines()[-1].split())


def packages(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def foreign(modules: set[str]) -> set[str]:
    """Packages that are neither ours nor the standard library's."""
    return {
        name
        for name in packages(modules) - sys.stdlib_module_names - {"maxpool"}
        if not name.startswith("_")
    }


@pytest.mark.parametrize(
    ("arguments", "most", "may"),
    [
        (["statusline"], 70, set()),
        (["env"], 90, set()),
        (["env", "--json"], 130, {"click"}),
        (["--help"], 90, {"click"}),
    ],
)
def test_a_short_command_loads_what_it_needs_and_no_more(arguments, most, may, tmp_path):
    modules = loaded(arguments, tmp_path)
    assert foreign(modules) == may
    assert not packages(modules) & SLOW
    assert len(modules) <= most


def test_status_at_a_pipe_loads_click_and_the_standard_library(tmp_path):
    with serving(picture(account("a"))) as stub:
        modules = loaded(["status", "--url", stub.url], tmp_path)
    assert foreign(modules) == {"click"}
    assert not packages(modules) & {"asyncio", "sqlite3", "unittest"}
