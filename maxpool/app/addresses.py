"""Where each account's requests go, and with which secret: from the config, by account id. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.config import derive
from maxpool.ports import Destination

if TYPE_CHECKING:
    from maxpool.config.model import Config


def destinations_of(config: Config) -> dict[str, Destination]:
    """Where each account's requests go, by account id."""
    return {
        entry.stable_id: Destination(
            base_url=derive.root_url(config, entry),
            format=entry.format,
            body=dict(entry.body),
            auth_header=derive.auth_header(entry),
            headers=tuple(entry.headers.items()),
            strip_beta_headers=frozenset(entry.strip_beta_headers),
            deadline_header=entry.deadline_header,
            idempotency_header=entry.idempotency_header,
            failures=derive.failures(config, entry),
            cost_header=entry.cost_header.lower() if entry.cost_header is not None else None,
            cost_event=entry.cost_event,
            strip_events=frozenset(entry.strip_events),
        )
        for entry in config.accounts
    }


def references_of(config: Config) -> dict[str, str]:
    """Secret references by account id; "" for an account that needs none."""
    return {entry.stable_id: derive.reference(entry) for entry in config.accounts}


def plans_of(config: Config) -> frozenset[str]:
    """Ids of the accounts that may use a subscription's token."""
    return frozenset(e.stable_id for e in config.accounts if derive.may_use_plan(config, e))
