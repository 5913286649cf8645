"""How long an account rests after a failure, by cause: its owner's word, else the pool's setting.

Accounts of other vendors (`kind = "provider"`) have settings of their own where their ways differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from maxpool.core.account import Account
    from maxpool.core.settings import PoolSettings

PROVIDER: Final = "provider"
"""The kind whose failures mean what other vendors mean by them."""

CAUSES: Final = ("quota", "model", "billing", "forbidden", "overloaded")
"""Causes after which an account rests for as long as its owner may say."""


def quota_s(account: Account, s: PoolSettings) -> float:
    """After a verdict on quota that names no time."""
    usual = s.provider_quota_s if account.kind == PROVIDER else s.quota_without_reset_s
    return account.cooldowns.get("quota", usual)


def model_s(account: Account, s: PoolSettings) -> float:
    """For a model that the account does not offer."""
    return account.cooldowns.get("model", s.model_missing_s)


def billing_s(account: Account, s: PoolSettings) -> float:
    """After a 402 or an empty balance."""
    return account.cooldowns.get("billing", s.billing_s)


def overloaded_s(account: Account, s: PoolSettings) -> float:
    """For a model without capacity."""
    return account.cooldowns.get("overloaded", s.provisional_s)


def forbidden_s(account: Account, s: PoolSettings) -> tuple[float, float]:
    """The first and the longest pause after a 403; between them it doubles."""
    own = account.cooldowns.get("forbidden")
    if own is None and account.kind == PROVIDER:
        own = s.provider_forbidden_s
    return (s.forbidden_initial_s, s.forbidden_max_s) if own is None else (own, own)


def breaker_max_s(account: Account, s: PoolSettings) -> float:
    """The longest pause of an open breaker."""
    return s.provider_breaker_max_s if account.kind == PROVIDER else s.breaker_max_s
