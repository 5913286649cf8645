from __future__ import annotations

import difflib
import tomllib
from datetime import date
from pathlib import Path

import pytest

from maxpool.config import edit
from maxpool.errors import MaxpoolError

TEXT = '''# My pool
version = 1

[server]
port = 4000 # not the usual one

# ---- accounts
[[accounts]]
name = "a"   # the first
priority = 0
headers = { "x-team" = "blue" }  # theirs
#tier = 1

# the second
[[accounts]]
name = "b"
[accounts.caps]
"5h" = 0.9

# where it rests
[storage]
save_gap = "2s"

[[accounts]]
name = "c"
secret = """
[[accounts]]
# not a header"""

# the end
'''
INLINE = """accounts = [
  { name = "a" }, # one
  { name = "b", caps = { "5h" = 0.5 } },
]
pool = { strategy = "cost" }
queue.limit = 3
"""
A = "accounts"


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, with their sign."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


def test_an_entry_is_added_at_the_end_and_nothing_else_moves():
    values = {
        "name": "d",
        "caps": {"7d": 0.5},
        "serves": ("x",),
        "plan": None,
        "config_dir": Path("p"),
    }
    after = edit.add_entry(TEXT, A, values)
    assert after.startswith(TEXT)
    assert after.removeprefix(TEXT) == (
        '\n[[accounts]]\nname = "d"\ncaps = { 7d = 0.5 }\nserves = ["x"]\nconfig_dir = "p"\n'
    )


def test_a_date_is_written_as_a_date():
    after = edit.add_entry("", A, {"name": "d", "terms_accepted": date(2026, 11, 21)})
    assert after == '[[accounts]]\nname = "d"\nterms_accepted = 2026-11-21\n'


def test_keys_change_in_place_and_new_ones_come_below_the_others():
    after = edit.set_entry(TEXT, A, "a", {"priority": 5, "enabled": False})
    assert changed(TEXT, after) == ["- priority = 0", "+ priority = 5", "+ enabled = false"]
    assert "#tier = 1\nenabled = false\n\n# the second" in after


def test_a_comment_behind_a_value_stays_when_the_value_changes():
    after = edit.set_entry(TEXT, A, "a", {"name": "z"})
    assert changed(TEXT, after) == ['- name = "a"   # the first', '+ name = "z"   # the first']


def test_none_removes_a_key():
    after = edit.set_entry(TEXT, A, "a", {"priority": None, "headers": None, "tier": None})
    assert changed(TEXT, after) == ["- priority = 0", '- headers = { "x-team" = "blue" }  # theirs']


def test_a_table_below_an_entry_is_replaced_by_its_new_value():
    after = edit.set_entry(TEXT, A, "b", {"caps": {"7d": 0.1}})
    lines = ["- [accounts.caps]", '- "5h" = 0.9', "+ caps = { 7d = 0.1 }"]
    assert sorted(changed(TEXT, after)) == sorted(lines)


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("a", ["# ---- accounts", 'name = "a"   # the first', "#tier = 1"]),
        ("b", ["# the second", 'name = "b"', "[accounts.caps]", '"5h" = 0.9']),
        ("c", ['name = "c"', '# not a header"""']),
    ],
)
def test_an_entry_is_removed_with_what_belongs_to_it_and_no_more(name, gone):
    after = edit.remove_entry(TEXT, A, name)
    lines = after.splitlines()
    assert not set(gone) & set(lines)
    kept = {"# My pool", "# where it rests", "# the end", "port = 4000 # not the usual one"}
    assert kept <= set(lines)
    assert all(line[0] == "-" for line in changed(TEXT, after))
    assert edit.names(after, A) == [n for n in "abc" if n != name]


def test_a_comment_above_a_table_of_a_removed_entry_takes_nothing_else_along():
    entry = '[[accounts]]\nname = "x"\n# which model\n[accounts.models]\n"a" = "b"\n'
    after = '[[accounts]]\nname = "y"\n'
    assert edit.remove_entry(f"version = 1\n\n{entry}{after}", "accounts", "x") == (
        f"version = 1\n\n{after}"
    )
    assert edit.remove_entry(f"version = 1\n\n{entry}", "accounts", "x") == "version = 1\n"


def test_the_last_entry_goes_without_leaving_an_empty_list():
    assert edit.remove_entry('[[accounts]]\nname = "a"\n', A, "a") == ""


@pytest.mark.parametrize(
    ("section", "key", "value", "lines"),
    [
        (
            "server",
            "port",
            1,
            ["- port = 4000 # not the usual one", "+ port = 1 # not the usual one"],
        ),
        ("server", "host", "::1", ['+ host = "::1"']),
        ("server", "port", None, ["- port = 4000 # not the usual one"]),
        ("server", "host", None, []),
        ("pool", "strategy", "cost", ["+ ", "+ [pool]", '+ strategy = "cost"']),
        ("pool", "strategy", None, []),
        ("oauth.x", "client_id", "i", ["+ ", "+ [oauth.x]", '+ client_id = "i"']),
        ("", "version", None, ["- version = 1"]),
    ],
)
def test_a_key_of_a_section_is_set_or_removed(section, key, value, lines):
    assert changed(TEXT, edit.set_value(TEXT, section, key, value)) == lines


def test_lists_and_sections_written_as_one_value_can_be_edited_too():
    added = edit.add_entry(INLINE, A, {"name": "d", "caps": {"7d": 0.5}})
    assert changed(INLINE, added) == ['+   { name = "d", caps = { 7d = 0.5 } },']
    assert edit.names(added, A) == ["a", "b", "d"]
    assert "# one" in added
    assert edit.names(edit.remove_entry(INLINE, A, "a"), A) == ["b"]
    data = tomllib.loads(edit.set_entry(INLINE, A, "a", {"priority": 5}))
    assert data["accounts"][0] == {"name": "a", "priority": 5}
    assert tomllib.loads(edit.set_value(INLINE, "pool", "full_at", 1))["pool"]["full_at"] == 1
    assert tomllib.loads(edit.set_value(INLINE, "queue", "limit", 1))["queue"] == {"limit": 1}


def test_a_name_that_nobody_has_is_answered_with_the_nearest():
    with pytest.raises(MaxpoolError, match="no account called 'consol'") as caught:
        edit.remove_entry('[[accounts]]\nname = "console"\n', A, "consol")
    assert caught.value.hint == "Did you mean console?"
    with pytest.raises(MaxpoolError) as caught:
        edit.set_entry("", A, "x", {})
    assert caught.value.hint == "There are: none"


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(MaxpoolError, match="account called 'a' already"):
        edit.add_entry(TEXT, A, {"name": "a"})


@pytest.mark.parametrize("text", ["accounts = 3", "[[accounts", "accounts = [1]"])
def test_a_broken_file_is_not_touched(text):
    with pytest.raises(MaxpoolError):
        edit.add_entry(text, A, {"name": "d"})


def test_a_form_that_cannot_be_edited_is_refused_and_never_guessed():
    text = '[[accounts]]\nname = "a"\nmodel = """\n# one"""\n[server]\n'
    with pytest.raises(MaxpoolError, match="cannot edit"):
        edit.set_entry(text, A, "a", {"priority": 1})


def test_the_example_file_can_be_edited_like_any_other():
    example = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")
    text = "\n".join(
        line[1:] if line.startswith("#") and line[1:2] not in ("", " ") else line
        for line in example.split("\n")
    )
    for name in edit.names(text, A):
        after = edit.set_entry(text, A, name, {"enabled": False, "priority": 7})
        assert edit.find_entry(after, A, name)["priority"] == 7
        assert name not in edit.names(edit.remove_entry(text, A, name), A)


def test_a_table_that_only_its_last_one_made_goes_with_it():
    text = 'a = 1\n\n[aliases."x.y"]\ntargets = ["m"]\n'
    assert edit.set_value(text, "aliases", "x.y", None).strip() == "a = 1"


def test_a_section_whose_name_holds_a_dot_is_given_as_its_steps():
    text = edit.set_value("", ("aliases", "x.y"), "targets", ["m"])
    assert text == '[aliases."x.y"]\ntargets = ["m"]\n'
    assert edit.set_value(text, ("aliases", "x.y"), "targets", ["n"]) == text.replace("m", "n")
