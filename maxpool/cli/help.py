"""`maxpool help`: a command's help, or a topic that belongs to no single one."""

from __future__ import annotations

import click


@click.command(name="help", epilog="Example: maxpool help accounts disable")
@click.argument("words", nargs=-1, metavar="[COMMAND...|TOPIC]")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command, or a topic: start, environment, files, exit-codes."""
    from maxpool.cli.help_topics import TOPICS

    root = ctx.find_root()
    if len(words) == 1 and words[0] in TOPICS:
        click.echo(TOPICS[words[0]], nl=False)
        return
    click.echo(_of(root, words))
    if not words:
        click.echo(f"\nTopics: {', '.join(TOPICS)} (maxpool help TOPIC)")


def _of(ctx: click.Context, words: tuple[str, ...]) -> str:
    """The help of the command that those words name below `ctx`."""
    for word in words:
        group = ctx.command
        found = group.get_command(ctx, word) if isinstance(group, click.Group) else None
        if found is None:
            raise click.UsageError(_unknown(ctx, word), ctx)
        ctx = click.Context(found, info_name=word, parent=ctx)
    return ctx.get_help()


def _unknown(ctx: click.Context, word: str) -> str:
    import difflib

    from maxpool.cli.help_topics import TOPICS

    group = ctx.command
    known = group.list_commands(ctx) if isinstance(group, click.Group) else []
    known = [*known, *TOPICS] if ctx.parent is None else known
    near = difflib.get_close_matches(word, known, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"There is no command or topic {word}.{meant}"
