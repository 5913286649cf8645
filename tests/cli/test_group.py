import ast
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from maxpool import __version__
from maxpool.cli.group import VERBS, maxpool, module_of, report, run
from maxpool.errors import ConfigError, ConfigProblem, MaxpoolError, NotRunning

HEAVY = ("rich", "pydantic", "starlette", "httpx2", "uvicorn", "asyncio", "maxpool.app")


def commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for verb in VERBS:
        command = import_module(module_of(verb)).command
        found.append((verb, command))
        if isinstance(command, click.Group):
            found += [(f"{verb} {name}", inner) for name, inner in command.commands.items()]
    return found


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from maxpool.cli.group import run; run(['--help']); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "serve" in answer.stdout
    assert answer.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_command_has_help_and_an_example(name, command):
    assert command.help
    assert isinstance(command, click.Group) or (command.epilog or "").startswith("Example: ")
    result = CliRunner().invoke(maxpool, [*name.split(), "--help"])
    assert result.exit_code == 0


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_example_is_a_command_line_that_can_be_given(name, command, tmp_path, monkeypatch):
    if isinstance(command, click.Group):
        return  # its commands have theirs
    found = re.search(r'maxpool ((?:[^|>&)"]|"[^"]*")+)', command.epilog or "")
    assert found
    (tmp_path / "pool.maxpool").touch()  # what `import` reads has to be there
    monkeypatch.chdir(tmp_path)
    words, ctx = shlex.split(found[1]), click.Context(maxpool, info_name="maxpool")
    for word in name.split():
        assert words.pop(0) == word
    command.make_context(name, words, parent=ctx)  # raises where it does not parse


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_option_has_help(name, command):
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert [p.name for p in options if not p.help] == []


def advised() -> list[tuple[str, str]]:
    """Each `maxpool VERB ...` in the program's texts that stands where a command would."""
    place = re.compile(r"(?:`|<code>|(?<!Error): |\$\(|[Rr]un |with )maxpool ((?:[a-z]+ ?){1,2})")
    alone = re.compile(r"maxpool ([a-z]+(?: [a-z]+)?)(?: (?:--|\|).*)?", re.DOTALL)
    found = []
    for path in sorted(Path(import_module("maxpool").__file__ or "").parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole = alone.fullmatch(node.value)
                words = [whole[1]] if whole else place.findall(node.value)
                found += [(f"{path.name}:{node.lineno}", said) for said in words]
    return found


def test_no_message_advises_a_command_that_does_not_exist():
    known = {name for name, _ in commands()}
    told = advised()
    assert len(told) > 15
    for where, said in told:
        verb, _, rest = said.strip().partition(" ")
        assert verb in VERBS, where
        assert verb != "config" or not rest or f"config {rest}" in known, where


def test_the_version_is_told():
    assert __version__ in CliRunner().invoke(maxpool, ["--version"]).stdout


@pytest.mark.parametrize(
    "arguments", [["servr"], ["status", "--nothing"], ["env", "--port", "x"], []]
)
def test_wrong_usage_ends_with_2(arguments):
    assert run(arguments) == 2


def test_a_mistyped_verb_is_answered_with_the_nearest_right_one(capsys):
    run(["servr"])
    assert "Did you mean serve?" in capsys.readouterr().err


def test_an_error_ends_with_what_to_do_and_its_own_exit_code(capsys):
    assert report(NotRunning("nothing answers", "Start it")) == 3
    assert capsys.readouterr().err == "Error: nothing answers\nStart it\n"
    assert report(MaxpoolError("no")) == 1


def test_config_problems_are_printed_one_by_one(capsys):
    problem = ConfigProblem(path="c.toml", line=3, text="prot = 1", message="unknown key prot")
    assert report(ConfigError([problem])) == 2
    assert capsys.readouterr().err.startswith(
        "c.toml:3: unknown key prot\n    prot = 1\nError: 1 problem"
    )


@pytest.mark.parametrize(("flags", "shown"), [([], False), (["--debug"], True)])
def test_a_fault_of_our_own_shows_its_origin_only_when_asked(flags, shown, monkeypatch):
    def broken() -> None:
        raise RuntimeError("boom\nand more")

    monkeypatch.setattr(import_module("maxpool.cli.env").command, "callback", lambda **_: broken())
    result = CliRunner().invoke(maxpool, [*flags, "env"])
    assert result.exit_code == 1
    assert "RuntimeError: boom" in result.stderr
    assert ("Traceback" in result.stderr) is shown
    assert "--debug" in result.stderr.splitlines()[-1]


def test_what_a_person_stops_says_so(monkeypatch, capsys):
    def stopped(*_: object, **__: object) -> None:
        raise click.Abort

    monkeypatch.setattr(maxpool, "main", stopped)
    assert run(["login", "a"]) == 1
    assert capsys.readouterr().err == "Stopped.\n"
