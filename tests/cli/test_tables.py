from __future__ import annotations

import io
import sys

from rich.console import Console

from maxpool.cli.tables import Table, plain, printable, show

TABLE = Table(
    head=("NAME", "COST", "NOTE"),
    rows=(("a", "1", "x"), ("longer", "10.5", "")),
    numbers=frozenset({1}),
)


def test_columns_are_aligned_and_numbers_to_the_right():
    assert plain(TABLE) == ["NAME    COST  NOTE", "a          1  x", "longer  10.5"]


def test_the_row_that_matters_is_marked():
    marked = Table(head=TABLE.head, rows=TABLE.rows, marked=1)
    assert [line[:2] for line in plain(marked)] == ["  ", "  ", "* "]


def test_a_table_without_a_head_is_only_rows():
    assert plain(Table(head=(), rows=(("a", "b"),))) == ["a  b"]
    assert plain(Table(head=(), rows=(("a", "b"), ("c", "d")), marked=0))[0] == "* a  b"


def test_no_control_character_reaches_the_terminal(capsys):
    nasty = "\x1b[31mred\x07\n"
    assert printable(nasty) == "?[31mred??"
    show([nasty, Table(head=("H",), rows=((nasty,),))])
    assert "\x1b" not in capsys.readouterr().out


def test_a_terminal_gets_the_same_cells(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = Console(file=out, force_terminal=True, width=80, color_system="truecolor")
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    show(["First \x1b[31mline", Table(head=TABLE.head, rows=TABLE.rows, marked=1)])
    text = out.getvalue()
    assert "\x1b[31m" not in text
    for cell in ("First", "NAME", "longer", "10.5"):
        assert cell in text
