import sys
from types import SimpleNamespace

import click
import pytest

from maxpool.cli.options import address, terminal_width

CONTEXT = click.Context(click.Command("x"))
OPTION = click.Option(["--url"])


def test_no_address_stays_none():
    assert address(CONTEXT, OPTION, None) is None


def test_an_address_loses_its_last_slash():
    assert address(CONTEXT, OPTION, "https://x:1/base/") == "https://x:1/base"


@pytest.mark.parametrize(
    "value", ["x", "ftp://x", "http://", "http://x:0", "http://x:99999", "http://[x"]
)
def test_what_is_no_address_is_refused(value):
    with pytest.raises(click.BadParameter):
        address(CONTEXT, OPTION, value)


def test_only_a_terminal_has_a_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "77")
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    assert terminal_width() == 77
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: False))
    assert terminal_width() is None
