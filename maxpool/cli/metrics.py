"""`maxpool metrics`: what a Prometheus reads, and a Grafana dashboard over it."""

from __future__ import annotations

import click


@click.group("metrics", invoke_without_command=False)
def command() -> None:
    """Numbers for Prometheus and Grafana.

    The running server tells them at /metrics; beyond loopback a scrape needs a client key as its bearer.
    """


@command.command("grafana", epilog="Example: maxpool metrics grafana > maxpool-grafana.json")
def grafana() -> None:
    """Print a Grafana dashboard to import."""
    from maxpool.web.grafana import text

    click.echo(text())
