"""`maxpool accounts topup`: record money added to a prepaid account; and how its money is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option
from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Document = Mapping[str, Any]

MOST_USD = 1e6


@click.command(name="topup", epilog="Example: maxpool accounts topup relay 20")
@click.argument("name")
@click.argument("usd", type=click.FloatRange(0, MOST_USD, min_open=True))
@url_option
@config_option
@json_option
def topup(name: str, usd: float, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Record money added to a prepaid account, in USD, so that it is used again.

    It changes nothing at the provider: pay there first.
    """
    from maxpool.cli.accounts_place import done
    from maxpool.cli.accounts_place import found as find

    one = find(url, config_file, name)
    if one is not None:
        account = one.server.post(f"{one.path}/topup", usd=usd)
    else:
        from maxpool.app import offline

        with offline.changing(config_file) as pool:
            account_id = pool.find(name).stable_id
            pool.pool.top_up(account_id, usd, pool.now)
            account = pool.account(account_id)
    done(dict(account), as_json, f"{account['name']}: {usd:g} USD added{_left(account)}.")


def _left(account: Document) -> str:
    left = account["balance"].get("balance_usd")
    if left is None:
        return "; its balance is unknown until its entry has balance_usd"
    return f"; {left:.2f} USD are left"


def money_rows(account: Document, now: float) -> list[tuple[str, str]]:
    """What limits the account, as lines of `maxpool accounts show`."""
    found = [(_name(one), _used(one, now)) for one in account.get("limits", ())]
    balance = account.get("balance") or {}
    if balance:
        found.append(("balance", _balance(balance)))
    wasted = account["total"].get("wasted_usd") or 0.0
    if wasted > 0.0:
        found.append(("wasted", f"{wasted:.4f} USD on answers that failed"))
    quota = account.get("quota")
    if quota is not None:
        found.append(("quota told", _quota(quota, now)))
    return found


def _name(limit: Document) -> str:
    return str(limit["name"]).replace(" calendar", "")


def _used(limit: Document, now: float) -> str:
    text = f"{limit['used']:g} of {limit['limit']:g} used"
    if limit["reserved"]:
        text += f", {limit['reserved']:g} reserved"
    if limit["until"] is not None:
        text += f", closed for {duration(limit['until'] - now)}"
    elif limit["exhausted"]:
        text += ", used up"
    return text


def _balance(balance: Document) -> str:
    left = balance["balance_usd"]
    text = "unknown" if left is None else f"{left:.2f} USD"
    if balance["topups"]:
        text += f", {balance['added_usd']:.2f} USD added"
    return f"{text}, {balance['spent_usd']:.4f} USD spent"


def _quota(quota: Document, now: float) -> str:
    parts = [f"{quota[word]:g} {word}" for word in ("used", "remaining") if quota[word] is not None]
    text = f"{', '.join(parts) or 'nothing yet'}{' ' + quota['unit'] if quota['unit'] else ''}"
    if quota["reset_at"] is not None and quota["reset_at"] > now:
        text += f", resets in {duration(quota['reset_at'] - now)}"
    if quota["last_result"] not in ("", "ok"):
        text += f" (last asked in vain: {quota['last_result']})"
    return text if quota["gates"] else f"{text} (only observed)"
