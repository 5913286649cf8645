from __future__ import annotations

import sys

import pytest

from maxpool.cli import tables
from maxpool.cli.tables import Table, cells, cut, laid_out, plain, printable, show, wrapped

TABLE = Table(
    head=("NAME", "COST", "NOTE"),
    rows=(("a", "1", "x"), ("longer", "10.5", "")),
    numbers=frozenset({1}),
)
WIDE = Table(
    head=("SESSION", "TURNS", "NOTE"),
    rows=(("5f2c0000-aaaa-bbbb-cccc-dddddddddddd/0123456789", "7", "words " * 10),),
    numbers=frozenset({1}),
)


def lines(table: Table, width: int | None) -> list[str]:
    return [line for line, _ in laid_out(table, width)]


def test_columns_are_aligned_and_numbers_to_the_right():
    assert plain(TABLE) == ["NAME    COST  NOTE", "a          1  x", "longer  10.5"]


def test_the_row_that_matters_is_marked():
    marked = Table(head=TABLE.head, rows=TABLE.rows, marked=1)
    assert [line[:2] for line in plain(marked)] == ["  ", "  ", "* "]


def test_a_table_without_a_head_is_only_rows():
    assert plain(Table(head=(), rows=(("a", "b"),))) == ["a  b"]
    assert plain(Table(head=(), rows=(("a", "b"), ("c", "d")), marked=0))[0] == "* a  b"
    assert plain(Table(head=(), rows=())) == []


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_a_table_fits_every_terminal(width):
    for marked in (None, 0):
        table = Table(head=WIDE.head, rows=WIDE.rows, numbers=WIDE.numbers, marked=marked)
        assert max(map(cells, lines(table, width))) <= width


def test_the_last_column_wraps_between_words_before_an_id_is_cut():
    first, second, *rest = lines(WIDE, 90)
    assert first.split() == ["SESSION", "TURNS", "NOTE"]
    assert second.split()[0] == WIDE.rows[0][0]
    assert {line.strip().replace("words", "").strip() for line in rest} == {""}


def test_an_id_is_cut_before_a_row_becomes_a_paragraph():
    assert lines(WIDE, 50)[1].startswith("5f2c0000-aaaa-bbbb")
    assert "…" in lines(WIDE, 50)[1]


def test_columns_that_matter_less_go_before_a_row_becomes_a_paragraph():
    table = Table(
        head=("NAME", "KIND", "USED"),
        rows=(("max-1", "subscription", "15 %"),),
        numbers=frozenset({2}),
        marked=0,
        less=(1,),
    )
    assert lines(table, 22) == ["  NAME   USED", "* max-1  15 %"]
    assert lines(table, 80)[1] == "* max-1  subscription  15 %"


def test_a_last_column_that_is_empty_takes_no_room():
    assert lines(Table(head=("A", ""), rows=(("x", ""),)), 4) == ["A", "x"]


def test_where_nothing_else_fits_each_row_is_a_paragraph_that_holds_all_of_it():
    row = ("max-1", "subscription", "ready", "0", "15 %", "-", "")
    table = Table(
        head=("ACCOUNT", "KIND", "STATE", "PRIORITY", "5 HOURS", "7 DAYS", ""), rows=(row,)
    )
    assert lines(table, 34) == [
        "max-1",
        "  kind subscription · state ready",
        "  priority 0 · 5 hours 15 %",
    ]


def test_a_nameless_first_column_stands_before_the_second():
    row = ("FAIL", "config", "readable", "one problem in it")
    table = Table(head=("", "ABOUT", "GATE", "SEEN OF IT"), rows=(row,))
    assert lines(table, 25)[:2] == ["FAIL config", "  gate readable"]


def test_wide_characters_take_two_cells():
    assert cells("日本e\N{COMBINING ACUTE ACCENT}") == 5
    assert cut("日本語", 5) == "日本…"
    table = Table(head=("N", "X"), rows=(("日本", "1"), ("abcd", "2")))
    assert plain(table)[1:] == ["日本  1", "abcd  2"]


def test_a_sentence_breaks_between_words_and_a_command_stays_whole():
    assert wrapped("one two three", 8) == ["one two", "three"]
    assert wrapped("  maxpool doctor --patch codex", 8) == ["  maxpool doctor --patch codex"]


def test_no_control_character_reaches_the_terminal(capsys):
    nasty = "\x1b[31mred\x07\n"
    assert printable(nasty) == "?[31mred??"
    show([nasty, Table(head=("H",), rows=((nasty,),))])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_the_same_cells_and_colour_only_where_it_is_wanted(
    colours, capsys, monkeypatch
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(tables, "no_color", lambda: not colours)
    monkeypatch.setattr("click.globals.resolve_color_default", lambda _=None: True)
    monkeypatch.setattr("click.utils.resolve_color_default", lambda _=None: True)
    show(["First", "", Table(head=TABLE.head, rows=TABLE.rows, marked=1)])
    seen = capsys.readouterr().out
    assert ("\x1b[1m" in seen) == colours
    for cell in ("First", "NAME", "* longer", "10.5"):
        assert cell in seen
