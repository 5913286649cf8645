"""`scripts/release`: what it finds in the way of a release. (It builds nothing here: that needs a network.)"""

from __future__ import annotations

import subprocess
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from maxpool import __version__

checks = import_module("releaselib.checks")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One that can be released."""
    write(tmp_path, "maxpool/__init__.py", '__version__ = "1.2.0"\n')
    write(tmp_path, "maxpool/data/prices.toml", "")
    write(tmp_path, "pyproject.toml", '[project]\nversion = "1.2.0"\n')
    write(
        tmp_path, "CHANGELOG.md", "# Changelog\n\n## 1.2.0 - 2026-11-01\n\n## 1.1.0 - 2026-10-01\n"
    )
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")


def test_a_project_with_one_version_told_and_a_clean_tree_can_be_released(project):
    assert checks.problems(project) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pyproject.toml", '[project]\nversion = "1.1.0"\n', "pyproject.toml says 1.1.0"),
        ("CHANGELOG.md", "## Unreleased\n\n## 1.2.0 - 2026-11-01\n", "begins with Unreleased"),
        ("CHANGELOG.md", "## 1.2.0\n", "no date"),
        ("CHANGELOG.md", "Nothing yet.\n", "no entry"),
    ],
)
def test_what_does_not_fit_is_named(project, name, text, said):
    write(project, name, text)
    commit(project)
    (problem,) = checks.problems(project)
    assert said in problem


def test_work_that_is_not_committed_and_a_version_that_was_released_are_in_the_way(project):
    git(project, "tag", "v1.2.0")
    write(project, "new.py", "")
    assert ["not clean" in p or "v1.2.0" in p for p in checks.problems(project)] == [True, True]


def test_a_wheel_without_a_data_file_is_noticed(project):
    with zipfile.ZipFile(project / "a.whl", "w") as wheel:
        wheel.write(project / "maxpool" / "__init__.py", "maxpool/__init__.py")
    assert checks.missing_files(project, project / "a.whl") == ["maxpool/data/prices.toml"]


def test_this_project_tells_one_version():
    assert checks.version_of(ROOT) == __version__
    assert not [p for p in checks.problems(ROOT) if p.startswith("pyproject")]
