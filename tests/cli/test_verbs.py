from __future__ import annotations

import re
from importlib import import_module

import click
import pytest

from maxpool.cli.group import VERBS, maxpool, module_of
from maxpool.cli.verbs import SUMMARIES


@pytest.mark.parametrize("verb", VERBS)
def test_the_line_of_a_verb_is_the_beginning_of_its_own_help(verb):
    command: click.Command = import_module(module_of(verb)).command
    assert SUMMARIES.get(verb) == command.get_short_help_str(500)


def test_the_list_names_every_verb_in_its_order():
    context = click.Context(maxpool, info_name="maxpool", terminal_width=80)
    shown = maxpool.get_help(context).partition("Commands:")[2]
    assert tuple(re.findall(r"^  (\S+)  ", shown, re.MULTILINE)) == VERBS
    assert max(map(len, shown.splitlines())) <= 80
