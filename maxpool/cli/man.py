"""`maxpool man`: the manual page, made from the commands' own help. roff with the man macros (man(7))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from maxpool import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command(name="man", epilog="Example: maxpool man > maxpool.1")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print the manual page; read it with: maxpool man | man -l -"""
    click.echo(page(ctx.find_root()))


def page(root: click.Context) -> str:
    """The whole page."""
    from maxpool.cli.help_topics import TOPICS

    lines = [
        f'.TH MAXPOOL 1 "" "maxpool {__version__}" "User Commands"',
        *(".SH NAME", r"maxpool \- one local endpoint in front of all the LLM accounts you own"),
        *(".SH SYNOPSIS", ".B maxpool", r".RI [ options ] " + r"\fICOMMAND\fR [\fIARGS\fR...]"),
        ".SH COMMANDS",
        *(line for ctx in _commands(root) for line in _described(ctx)),
    ]
    for name, text in TOPICS.items():
        lines += [f".SH {name.upper()}", ".nf", *_plain(text), ".fi"]
    return "\n".join(lines)


def _commands(ctx: click.Context) -> Iterator[click.Context]:
    """Contexts of all commands below that one, groups before what is in them."""
    group = ctx.command
    if isinstance(group, click.Group):
        for name in group.list_commands(ctx):
            found = group.get_command(ctx, name)
            if found is not None and not found.hidden:
                inner = click.Context(found, info_name=name, parent=ctx)
                yield inner
                yield from _commands(inner)


def _described(ctx: click.Context) -> Iterator[str]:
    import inspect  # only here: the group's help loads this file, too

    one = ctx.command
    usage = " ".join(one.collect_usage_pieces(ctx))
    yield f".SS {_escaped(f'{ctx.command_path} {usage}')}"
    for paragraph in inspect.cleandoc(one.help or "").split("\n\n"):
        yield ".PP"
        if paragraph.lstrip().startswith("\b"):
            yield from (".nf", *_plain(paragraph.replace("\b\n", "")), ".fi")
        else:
            yield from _plain(paragraph)
    for parameter in one.params:
        record = parameter.get_help_record(ctx)
        if record is not None:
            yield from (".TP", rf"\fB{_escaped(record[0])}\fR", _escaped(record[1]))
    if one.epilog:
        yield from (".PP", _escaped(one.epilog))


def _plain(text: str) -> list[str]:
    return [_escaped(line) for line in text.splitlines()]


def _escaped(text: str) -> str:
    """As it stands: no escape, no hyphenation of options, no request at the start of a line."""
    found = re.sub(r"\s*\n\s*", " ", text).replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{found}" if found.startswith((".", "'")) else found
