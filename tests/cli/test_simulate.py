import json
import shlex

import pytest
from click.testing import CliRunner

from maxpool.app import simulate as app
from maxpool.cli.group import maxpool, run
from maxpool.cli.simulate import command
from maxpool.core.strategy import STRATEGIES
from maxpool.sim.families import FAMILIES, LOADED
from maxpool.sim.whatif import PLANS
from tests.cli.test_simulate_report import report

SHORT = ["--family", "few", "--weeks", "0.1", "--seed", "4", "--jobs", "1"]


class Heard:
    """Stands where plans are played, and answers with results made up for them."""

    def play(self, plan, *, jobs, progress=None):
        self.plan, self.jobs = plan, jobs
        names = ("families", "strategies", "seeds", "weeks", "bound", "chart")
        return report(**{name: getattr(plan, name) for name in names}).played


@pytest.fixture
def heard(monkeypatch):
    found = Heard()
    monkeypatch.setattr(app, "play", found.play)
    return found


def simulate(*arguments):
    return CliRunner().invoke(maxpool, ["simulate", *arguments])


def test_the_help_names_every_family_strategy_and_plan():
    said = simulate("--help").output
    assert set(FAMILIES) | set(STRATEGIES) <= set(said.split())
    assert all(plan in said for plan in PLANS)


def test_a_plain_call_is_a_quick_look(heard):
    result = simulate()
    assert result.exit_code == 0, result.output
    assert heard.plan.families == ("moderate", "few")
    assert (heard.plan.strategies, heard.plan.seeds) == (("cost", "sticky"), (1, 2))
    assert heard.plan.check_every == 0
    assert "all 2 loaded families played" in result.output


def test_every_command_of_the_help_works(heard):
    told = [line for line in (command.help or "").splitlines() if "maxpool simulate" in line]
    told.append((command.epilog or "").removeprefix("Example: "))
    assert len(told) == 4
    for line in told:
        arguments = shlex.split(line[line.index("maxpool simulate") :])[2:]
        assert simulate(*arguments).exit_code == 0


def test_groups_of_families_and_strategies_are_spelled_out_once(heard):
    simulate("--family", "few", "--family", "loaded", "--strategy", "sticky", "--strategy", "all")
    assert heard.plan.families == ("few", *(name for name in LOADED if name != "few"))
    assert heard.plan.strategies[0] == "sticky"
    assert sorted(heard.plan.strategies) == sorted(STRATEGIES)


def test_wishes_reach_the_plan(heard, tmp_path):
    said = simulate("--seed", "7", "--seed", "7", "--add", "pro", "--set", "warm_bonus=3", "--check",
                    "--no-bound", "--jobs", "3", "--html", str(tmp_path / "page.html"))  # fmt: skip
    plan = heard.plan
    assert (plan.seeds, plan.add, plan.bound, heard.jobs) == ((7,), ("pro",), None, 3)
    assert plan.settings.warm_bonus == 3.0
    assert plan.check_every > 0
    assert f"Wrote {tmp_path / 'page.html'}" in said.stderr
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--family", "overlod"], "did you mean overload?"),
        (["--strategy", "stiky"], "did you mean sticky?"),
        (["--add", "max20x"], "did you mean max_20x?"),
        (["--set", "warm_bonsu=3"], "did you mean warm_bonus"),
        (["--seeds", "2", "--seed", "3"], "give one of them"),
        (["--json", "--markdown"], "give one of them"),
        (["--timing"], "give --json as well"),
        (["--set", "slots_total=0"], "slots_total cannot be '0'"),
    ],
)
def test_wrong_usage_is_answered_with_the_right_one_and_2(arguments, said, heard, capsys):
    assert run(["simulate", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_without_the_library_shares_are_of_the_offer_and_that_is_said(heard, monkeypatch):
    monkeypatch.setattr(app, "bound_available", lambda: False)
    result = simulate()
    assert heard.plan.bound is None
    assert "pip install '.[simulate]'" in result.stderr
    assert "of what was offered" in result.stdout


def test_a_page_that_cannot_be_written_ends_with_words_and_1(heard, tmp_path, capsys):
    assert run(["simulate", "--html", str(tmp_path / "no" / "page.html")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_the_same_command_prints_the_same_bytes():
    pytest.importorskip("scipy")
    first, second = (simulate(*SHORT, "--json", "--check") for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.stdout_bytes == second.stdout_bytes
    assert [run["strategy"] for run in json.loads(first.stdout)["runs"]] == ["cost", "sticky"]


def test_markdown_prints_a_table_and_nothing_else(heard):
    assert simulate("--markdown").stdout.startswith("| strategy | share |")
