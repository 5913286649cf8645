"""The README's generated tables are what the code would generate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lib import matrix

README = Path(__file__).parents[1] / "README.md"
WORDS = {"carried", "left out", "refused", "skipped", ""}


def cells() -> list[list[str]]:
    """The table of features, row by row, without its head."""
    rows = matrix.formats().splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_feature_has_a_word_for_every_api_that_knows_it():
    for (feature, *found), (name, *asked) in zip(cells(), matrix.FEATURES, strict=True):
        assert (feature, len(found)) == (name, 3)
        assert set(found) <= WORDS
        assert [bool(word) for word in found] == [sample is not None for sample in asked], name


def test_what_every_client_needs_is_carried_by_every_translator():  # P6
    needed = {
        "system prompt",
        "tools",
        "parallel calls and their results",
        "answers by a JSON schema",
    }
    rows = {feature: set(found) for feature, *found in cells()}
    assert {name: rows[name] for name in needed} == {name: {"carried"} for name in needed}


def test_what_only_its_own_vendor_can_read_goes_to_no_other():  # P2, S11
    rows = {feature: found[-1] for feature, *found in cells()}
    assert rows["signed thinking of earlier turns"] == "skipped"
    assert rows["PDF files"] == "skipped"


@pytest.mark.parametrize("name", matrix.TABLES)
def test_a_table_is_written_between_its_markers_and_nowhere_else(name):
    begin, end = matrix.marks(name)
    text = f"before\n{begin}old\n{end}after\n"
    new = matrix.written(text)
    assert new == f"before\n{begin}{matrix.TABLES[name]()}{end}after\n"
    assert (matrix.written(new), matrix.written("none")) == (new, "none")


def test_the_readme_shows_the_tables_of_this_code():
    text = README.read_text(encoding="utf-8")
    assert matrix.written(text) == text, "python scripts/lib/matrix.py --write README.md"
    opened = re.findall(r"<!-- ([a-z-]+): begin \(scripts/lib/matrix.py\) -->", text)
    assert set(opened) <= set(matrix.TABLES)
