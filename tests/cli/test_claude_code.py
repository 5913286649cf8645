import shutil
import subprocess

import pytest

from maxpool.cli.claude_code import (
    PLACEHOLDER,
    Token,
    lines,
    own_login,
    shell_lines,
    shell_named,
    usage,
    variables,
)

URL = "http://127.0.0.1:3456"


@pytest.mark.parametrize(
    ("token", "value"),
    [
        (Token(), "maxpool"),
        (Token(source="env", where="MY_KEY"), "from-env"),
        (Token(source="unknown"), PLACEHOLDER),
        (Token(source="value", where="it's"), "it's"),
    ],
)
def test_bash_reads_the_lines_as_meant(token, value):
    script = "\n".join(
        [
            *lines(URL, token, "bash"),
            'echo "$ANTHROPIC_BASE_URL|$ANTHROPIC_AUTH_TOKEN|$ENABLE_PROMPT_CACHING_1H"',
        ]
    )
    bash = shutil.which("bash") or "/bin/sh"
    answer = subprocess.run(
        [bash, "-c", script], env={"MY_KEY": "from-env"}, capture_output=True, text=True, check=True
    )
    assert answer.stdout == f"{URL}|{value}|1\n"


def test_a_key_in_a_file_is_read_when_the_lines_are_evaluated(tmp_path):
    path = tmp_path / "a key"
    path.write_text("from-file\n")
    script = "\n".join(
        [*lines(URL, Token(source="file", where=str(path)), "bash"), 'echo "$ANTHROPIC_AUTH_TOKEN"']
    )
    bash = shutil.which("bash") or "/bin/sh"
    answer = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "from-file\n"


def test_each_shell_gets_its_own_notation():
    assert "set -gx ENABLE_PROMPT_CACHING_1H 1" in lines(URL, Token(), "fish")
    assert f"$env:ANTHROPIC_BASE_URL = '{URL}'" in lines(URL, Token(), "powershell")
    assert "$env:ANTHROPIC_AUTH_TOKEN = $env:K" in lines(
        URL, Token(source="env", where="K"), "powershell"
    )
    assert "set -gx ANTHROPIC_AUTH_TOKEN (cat /k)" in lines(
        URL, Token(source="file", where="/k"), "fish"
    )
    assert "$env:ANTHROPIC_AUTH_TOKEN = (Get-Content '/k')" in lines(
        URL, Token(source="file", where="/k"), "powershell"
    )


def test_every_line_says_why_unless_it_is_not_wanted():
    explained = lines(URL, Token(), "bash")
    assert [line.startswith("#") for line in explained] == [True, False] * 3
    assert lines(URL, Token(), "bash", comments=False) == explained[1::2]


def test_a_value_only_the_shell_can_know_is_not_invented():
    values = {v.name: v.value for v in variables(URL, Token(source="env", where="K"), "bash")}
    assert values["ANTHROPIC_AUTH_TOKEN"] is None
    assert values["ANTHROPIC_BASE_URL"] == URL


@pytest.mark.parametrize(
    ("keys", "source"),
    [((), "any"), (("",), "unknown"), (("", "env:K"), "env"), (("file:/k",), "file")],
)
def test_the_first_key_that_can_be_pointed_at_is_used(keys, source):
    assert Token.from_keys(keys).source == source


@pytest.mark.parametrize(
    ("name", "shell"), [("fish", "fish"), ("pwsh", "powershell"), ("zsh", "bash"), ("", "bash")]
)
def test_an_unknown_shell_is_taken_to_read_what_bash_reads(name, shell):
    assert shell_named(name) == shell
    assert "maxpool env" in usage(shell_named(name))


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (Token(), ""),
        (Token(source="env", where="MY_KEY"), "x-maxpool-key: from-env"),
        (Token(source="unknown"), f"x-maxpool-key: {PLACEHOLDER}"),
    ],
)
def test_with_its_own_login_only_the_address_is_set_and_no_other_credential(key, header):
    shown = 'echo "$ANTHROPIC_BASE_URL|${ANTHROPIC_AUTH_TOKEN-unset}|$ANTHROPIC_CUSTOM_HEADERS"'
    script = "\n".join([*shell_lines(own_login(URL, key, "bash"), "bash"), shown])
    given = {"MY_KEY": "from-env", "ANTHROPIC_AUTH_TOKEN": "of-yesterday"}
    bash = shutil.which("bash") or "/bin/sh"
    answer = subprocess.run(
        [bash, "-c", script], env=given, capture_output=True, text=True, check=True
    )
    assert answer.stdout == f"{URL}|unset|{header}\n"


def test_every_shell_says_it_in_its_own_words():
    key = Token(source="env", where="MY_KEY")
    fish, power = (own_login(URL, key, shell) for shell in ("fish", "powershell"))
    assert "set -gx ANTHROPIC_CUSTOM_HEADERS 'x-maxpool-key: '\"$MY_KEY\"" in shell_lines(
        fish, "fish"
    )
    assert "set -e ANTHROPIC_AUTH_TOKEN" in shell_lines(fish, "fish")
    lines_there = shell_lines(power, "powershell", comments=False)
    assert "$env:ANTHROPIC_CUSTOM_HEADERS = ('x-maxpool-key: ' + $env:MY_KEY)" in lines_there
    assert "$env:ANTHROPIC_API_KEY = $null" in lines_there
