"""maxpool: one local endpoint in front of all the LLM accounts a person owns.

The names of the core's contract are public here, loaded on first use so that a command that needs
none of them starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "Account": "account",
    "AccountClosed": "lease",
    "AuthFinal": "lease",
    "AuthRejected": "lease",
    "BillingFailure": "lease",
    "Burst": "lease",
    "ClientGone": "lease",
    "Command": "lease",
    "ContextExceeded": "rejected",
    "Cost": "cost",
    "CredentialChange": "lease",
    "Cut": "lease",
    "Decision": "decisions",
    "Due": "lease",
    "FamilyQuotaExceeded": "lease",
    "Forbidden": "lease",
    "Garbage": "lease",
    "Internal": "lease",
    "Lease": "lease",
    "LeaseRequest": "lease",
    "ModelMissing": "lease",
    "NetworkFailure": "lease",
    "NotCarried": "rejected",
    "Outcome": "lease",
    "Overloaded": "lease",
    "OwnLogin": "lease",
    "PolicyRefused": "rejected",
    "Pool": "pool",
    "PoolSettings": "settings",
    "PoolView": "view",
    "ProbeFailure": "lease",
    "QuotaExceeded": "lease",
    "RateLimited": "lease",
    "Reading": "lease",
    "Reason": "eligibility",
    "Refusal": "lease",
    "RequestRejected": "lease",
    "SpendLimited": "lease",
    "Success": "lease",
    "Ticket": "lease",
    "TokenUsage": "lease",
    "TransientFailure": "lease",
    "UsageReport": "lease",
    "Wait": "lease",
}

__all__ = ["__version__", *sorted(_HOMES)]

if TYPE_CHECKING:
    from maxpool.core.account import Account as Account
    from maxpool.core.cost import Cost as Cost
    from maxpool.core.decisions import Decision as Decision
    from maxpool.core.eligibility import Reason as Reason
    from maxpool.core.lease import AccountClosed as AccountClosed
    from maxpool.core.lease import AuthFinal as AuthFinal
    from maxpool.core.lease import AuthRejected as AuthRejected
    from maxpool.core.lease import BillingFailure as BillingFailure
    from maxpool.core.lease import Burst as Burst
    from maxpool.core.lease import ClientGone as ClientGone
    from maxpool.core.lease import Command as Command
    from maxpool.core.lease import CredentialChange as CredentialChange
    from maxpool.core.lease import Cut as Cut
    from maxpool.core.lease import Due as Due
    from maxpool.core.lease import FamilyQuotaExceeded as FamilyQuotaExceeded
    from maxpool.core.lease import Forbidden as Forbidden
    from maxpool.core.lease import Garbage as Garbage
    from maxpool.core.lease import Internal as Internal
    from maxpool.core.lease import Lease as Lease
    from maxpool.core.lease import LeaseRequest as LeaseRequest
    from maxpool.core.lease import ModelMissing as ModelMissing
    from maxpool.core.lease import NetworkFailure as NetworkFailure
    from maxpool.core.lease import Outcome as Outcome
    from maxpool.core.lease import Overloaded as Overloaded
    from maxpool.core.lease import OwnLogin as OwnLogin
    from maxpool.core.lease import ProbeFailure as ProbeFailure
    from maxpool.core.lease import QuotaExceeded as QuotaExceeded
    from maxpool.core.lease import RateLimited as RateLimited
    from maxpool.core.lease import Reading as Reading
    from maxpool.core.lease import Refusal as Refusal
    from maxpool.core.lease import RequestRejected as RequestRejected
    from maxpool.core.lease import SpendLimited as SpendLimited
    from maxpool.core.lease import Success as Success
    from maxpool.core.lease import Ticket as Ticket
    from maxpool.core.lease import TokenUsage as TokenUsage
    from maxpool.core.lease import TransientFailure as TransientFailure
    from maxpool.core.lease import UsageReport as UsageReport
    from maxpool.core.lease import Wait as Wait
    from maxpool.core.pool import Pool as Pool
    from maxpool.core.rejected import ContextExceeded as ContextExceeded
    from maxpool.core.rejected import NotCarried as NotCarried
    from maxpool.core.rejected import PolicyRefused as PolicyRefused
    from maxpool.core.settings import PoolSettings as PoolSettings
    from maxpool.core.view import PoolView as PoolView


def __getattr__(name: str) -> object:
    """Load a public name from the room it lives in."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'maxpool' has no attribute {name!r}")
    return getattr(import_module(f"maxpool.core.{home}"), name)
