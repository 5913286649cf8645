import json

import pytest

from maxpool.__main__ import main as entry
from maxpool.cli.env_show import OFF, main


@pytest.fixture(autouse=True)
def _around(monkeypatch, tmp_path):
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path))
    monkeypatch.setenv("MAXPOOL_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("SHELL", "/bin/bash")


def test_the_first_line_says_how_to_take_the_others_over(capsys):
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("# ")
    assert 'eval "$(maxpool env)"' in lines[0]
    assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:3456" in lines


def test_own_logins_are_named_in_it_and_a_warning_goes_elsewhere(capsys):
    main(own_login=True)
    said = capsys.readouterr()
    assert "maxpool env --own-login" in said.out.splitlines()[0]
    assert said.err == f"{OFF}\n"


def test_a_named_file_that_is_not_there_is_told_elsewhere(capsys, tmp_path):
    assert main("bash", config_file=tmp_path / "typo.toml") == 0
    said = capsys.readouterr()
    assert "typo.toml: these are the defaults" in said.err
    assert said.out.startswith("# Claude Code through maxpool")


def test_as_json_it_prints_nothing_else(capsys):
    main(port=4000, as_json=True)
    assert json.loads(capsys.readouterr().out)["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:4000"


def test_the_program_without_options_prints_the_same(capsys, monkeypatch):
    main()
    wanted = capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["maxpool", "env"])
    with pytest.raises(SystemExit) as ended:
        entry()
    assert (ended.value.code, capsys.readouterr().out) == (0, wanted)


def test_what_goes_wrong_ends_in_words(capsys, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError("no home folder")

    monkeypatch.setattr("maxpool.cli.env_show.peek", broken)
    monkeypatch.setattr("sys.argv", ["maxpool", "env"])
    with pytest.raises(SystemExit) as ended:
        entry()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert "no home folder" in said.err
    assert "Traceback" not in said.err
