"""What must hold before a release: one version everywhere, told in the changelog, from a clean tree."""

import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

ENTRY = re.compile(r"^## (?P<version>\S+)(?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def version_of(root: Path) -> str:
    """The version as the program tells it."""
    text = (root / "maxpool" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    return found[1] if found else ""


def problems(root: Path) -> list[str]:
    """What is in the way, with what to do about it."""
    version = version_of(root)
    return [*_metadata(root, version), *_changelog(root, version), *_tree(root, version)]


def _metadata(root: Path, version: str) -> list[str]:
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    if told == version:
        return []
    return [
        f"pyproject.toml says {told}, maxpool/__init__.py {version or 'nothing'}: make them one"
    ]


def _changelog(root: Path, version: str) -> list[str]:
    top = ENTRY.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if top is None:
        return ["CHANGELOG.md has no entry"]
    if top["version"] != version:
        return [
            f"CHANGELOG.md begins with {top['version']}: name what is released ## {version} - DATE"
        ]
    return [] if top["date"] else [f"CHANGELOG.md tells no date for {version}: ## {version} - DATE"]


def _tree(root: Path, version: str) -> list[str]:
    found = []
    if _git(root, "status", "--porcelain"):
        found.append("the tree is not clean: commit, or put aside what is not to be released")
    if _git(root, "tag", "--list", f"v{version}"):
        found.append(f"there is a tag v{version} already: raise the version")
    return found


def missing_files(root: Path, wheel: Path) -> list[str]:
    """Files of the package that git knows and the wheel does not hold."""
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    return sorted(set(_git(root, "ls-files", "maxpool").splitlines()) - held)


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()
