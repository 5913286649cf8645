from pathlib import Path

import pytest

from maxpool.config.load import parse
from maxpool.config.problems import hide, name_of, render
from maxpool.errors import ConfigError, ConfigProblem


def problems(text: str, tmp_path: Path) -> list[ConfigProblem]:
    with pytest.raises(ConfigError) as caught:
        parse(text, tmp_path / "c.toml")
    return caught.value.problems


def only(text: str, tmp_path: Path) -> ConfigProblem:
    (problem,) = problems(text, tmp_path)
    return problem


def test_an_unknown_key_names_the_nearest_right_one(tmp_path):
    problem = only("[server]\n\nprot = 1\n", tmp_path)
    assert (problem.line, problem.text) == (3, "prot = 1")
    assert problem.message == "unknown key prot in [server]"
    assert problem.hint == "did you mean port?"


def test_a_key_in_the_wrong_section_is_sent_to_its_own(tmp_path):
    assert only("[server]\nheartbeat = '1s'", tmp_path).hint == "did you mean [queue] heartbeat?"


def test_a_key_like_no_other_is_answered_with_those_there_are(tmp_path):
    assert "level, format" in only("[logging]\nzzz = 1", tmp_path).hint


def test_an_unknown_section_names_the_nearest_right_one(tmp_path):
    assert only("[quue]\nlimit = 1", tmp_path).hint == "did you mean queue?"


def test_a_section_of_a_later_version_is_named_as_such(tmp_path):
    assert "does not have yet" in only("[cluster]\nurl = 'redis://x'", tmp_path).message


def test_a_wrong_choice_names_the_nearest_right_one(tmp_path):
    problem = only("[logging]\nlevel = 'wrning'", tmp_path)
    assert problem.message == "[logging] level must be debug, info, warning or error"
    assert problem.hint == "did you mean warning?"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("port = '1'", "must be a whole number"),
        ("port = 1.5", "must be a whole number"),
        ("port = 70000", "must be at most 65535"),
        ("host = 1", "must be text in quotes"),
        ("require_key = 1", "must be true or false"),
        ("allowed_ips = 'x'", "must be a list in [brackets]"),
        ("drain = '30'", "must be a duration"),
        ("max_body = '32'", "must be a size"),
        ("host = 'a b'", "must be one exact host name"),
    ],
)
def test_a_wrong_value_is_explained_in_plain_words(line, words, tmp_path):
    assert words in only(f"[server]\n{line}", tmp_path).message


def test_a_missing_key_is_blamed_on_its_entry(tmp_path):
    problem = only("[[accounts]]\nsecret = 'env:A'", tmp_path)
    assert (problem.line, problem.message) == (1, "[[accounts]] entry 1 name is missing")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\na = 2", 2),
        ("\n[server\n", 2),
        ("x = localhost", 1),
        ('x = "abc', 1),
        ("[a]\n[a]", 2),
        ("x 1", 1),
    ],
)
def test_a_syntax_error_points_at_its_line(text, line, tmp_path):
    problem = only(text, tmp_path)
    assert problem.line == line
    assert problem.message.startswith("not valid TOML: ")
    assert problem.text == text.splitlines()[line - 1]


@pytest.mark.parametrize("name", ["accounts", "client_keys"])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[{0}]\nname = 'a'", 1),
        ("[{0}]\nname = 'a'\n[{0}]\nname = 'b'", 3),
        ("[[{0}]]\nname = 'a'\n[{0}]\nname = 'b'", 3),
        ("[{0}.one]\nname = 'a'", 1),
    ],
)
def test_an_entry_in_single_brackets_is_told_to_double_them(name, text, line, tmp_path):
    problem = only(text.format(name), tmp_path)
    assert problem.line == line
    assert problem.hint.startswith(f"write [[{name}]], once for each ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a = 1\nx = "abc\nb = 2', 2),
        ('a = 1\nx = "abc', 2),
        ("a = 1\nx = 'abc\nb = 2\nc = 3", 2),
        ("a = 1\nx = 'abc\nb = 'd'", 2),
        ('a = 1\nx = """abc\nb = 2\n', 2),
        ("a = 1\nx = '''abc\nb = 2\n", 2),
        ('a = """b"""\nx = "abc', 2),
    ],
)
def test_a_quote_that_is_never_closed_is_named_where_it_opens(text, line, tmp_path):
    problem = only(text, tmp_path)
    assert (problem.line, problem.message) == (line, "not valid TOML: missing closing quote")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *((key, "secret") for key in ("api_key", "key", "token", "password", "api_token")),
        *((key, "base_url") for key in ("url", "endpoint", "api_base", "origin")),
        ("type", "kind"),
    ],
)
def test_a_key_as_other_programs_call_it_is_answered_with_its_name_here(key, meant, tmp_path):
    problem = only(f"[[accounts]]\nname = 'a'\n{key} = 'hunter2-abc'", tmp_path)
    assert problem.message.startswith(f"unknown key {key}")
    assert problem.hint.startswith(f"did you mean {meant}?")
    assert meant != "secret" or "abc" not in "".join(render(problem))


def test_a_misspelt_list_is_answered_with_its_brackets(tmp_path):
    assert only("[[account]]\nname = 'a'", tmp_path).hint == "did you mean [[accounts]]?"


def test_text_without_quotes_is_recognised(tmp_path):
    assert only("[server]\nhost = localhost", tmp_path).hint == "text goes in quotes"


@pytest.mark.parametrize(
    "line",
    [
        "secret = 'sk-ant-abc'",
        "secret = sk-ant-abc",
        "key = 'hunter2-abc'",
        '"secret" = "hunter2-abc"',
        "secret = 'hunter2-abc",
        "api_key = 'hunter2-abc'",
        "token = hunter2-abc",
        "PASSWORD='hunter2-abc'",
        "headers = { 'x-team-token' = 'hunter2-abc' }",
        "name = 'sk-ant-abc'",
        "base_url = 'https://me:hunter2-abc@x'",
        "secret = 'command:echo hunter2-abc'",
        "a = [{ name = 'x', secret = 'hunter2-abc' }]",
    ],
)
def test_an_offending_line_never_shows_a_secret(line):
    assert "abc" not in hide(line)


def test_a_reference_stays_readable():
    assert hide("secret = 'env:MY_KEY'") == "secret = 'env:MY_KEY'"
    for line in ("port = 'x'", "tls_key = 'server.pem'", "require_key = 1", "[[client_keys]]"):
        assert hide(line) == line


def test_a_pasted_secret_appears_nowhere_in_the_printed_problem(tmp_path):
    text = "[[accounts]]\nname = 'a'\nsecret = 'sk-ant-api03-abcdefgh'\nkindd = 3"
    printed = "\n".join(line for p in problems(text, tmp_path) for line in render(p))
    assert "abcdefgh" not in printed
    assert "env:NAME" in printed


def test_a_problem_is_printed_as_place_line_and_hint():
    problem = ConfigProblem(
        path="c.toml", line=3, text="prot = 1", message="unknown key", hint="did you mean port?"
    )
    assert render(problem) == ["c.toml:3: unknown key", "    prot = 1", "    did you mean port?"]
    assert render(ConfigProblem(path="c.toml", line=0, text="", message="gone")) == ["c.toml: gone"]


def test_a_key_is_named_as_it_is_written():
    assert name_of(("server", "port")) == "[server] port"
    assert name_of(("accounts", 1, "caps", "5h")) == "[[accounts]] entry 2 caps 5h"
    assert name_of(("server", "allowed_ips", 0)) == "[server] allowed_ips item 1"
    assert name_of(()) == "the file"
