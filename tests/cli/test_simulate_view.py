import io
import re

from rich.console import Console

from maxpool.cli.simulate_view import blocks, columns, markdown, plain, renderable
from tests.cli.test_simulate_report import report


def test_each_family_has_a_table_and_the_loaded_ones_another():
    lines = plain(report())
    assert lines[0] == "2 families, 2 strategies, 2 seeds, 1 week each"
    for title in ("moderate (2 seeds)", "few (2 seeds)", "all 2 loaded families played (2 seeds)"):
        assert title in lines


def test_shares_carry_their_error_and_their_difference_to_the_first():
    (line, *_) = (line for line in plain(report()) if line.startswith("sticky"))
    assert "0.9105 +-0.0053  +0.0526 +-0.0000" in line


def test_one_seed_has_no_error_and_one_strategy_no_difference():
    lines = plain(report(seeds=(1,), strategies=("cost",)))
    table = "\n".join(lines[lines.index("few (1 seed)") :])
    assert "+-" not in table
    assert "vs" not in table


def test_no_line_is_wider_than_the_terminal_and_no_column_is_lost():
    wide, narrow = plain(report()), plain(report(), 80)
    tables = [line for line in narrow if line.startswith(("cost", "sticky", "strategy"))]
    assert max(map(len, tables)) <= 80
    assert len(tables) > len([line for line in wide if line.startswith(("cost", "sticky", "str"))])
    heads = " ".join(line for line in narrow if line.startswith("strategy"))
    assert all(title in heads for title, _ in columns(report().tables[0]))


def test_a_column_wider_than_the_terminal_still_has_a_table():
    found = list(blocks(columns(report().tables[0]), 5))
    assert all(len(block) == 2 for block in found)


def test_a_terminal_shows_the_same_numbers():
    console = Console(file=io.StringIO(), width=80, highlight=False)
    console.print(renderable(report(), 80))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0.9105 +-0.0053" in said
    assert "key USD" in said


def test_markdown_is_one_table_with_the_command_that_makes_it():
    head, rule, first, second, _, made = markdown(report())
    assert head.count("|") == rule.count("|") == first.count("|") == second.count("|")
    assert first.startswith("| `cost` | 0.8579 ±0.0053 |  |")
    assert "+0.0526 ±0.0000" in second
    assert made.endswith("--seeds 2 --weeks 1 --markdown`")


def test_every_column_is_explained_in_a_line_under_the_tables():
    lines = plain(report())
    below = lines[max(n for n, line in enumerate(lines) if not line) + 1 :]
    told = dict(re.split(r"  +", line, maxsplit=1) for line in below)
    heads = [name for name, _ in columns(report().tables[0]) if name != "strategy"]
    assert list(told) == heads
    assert all(told.values())
    assert "{" not in "".join(told.values())
