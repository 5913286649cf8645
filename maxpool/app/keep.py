"""Keeping a login: which account it is, then the vault, then the config.

A crash between the two is harmless: the id comes from whose login it is, so the next login finds the
same place. Two names for one login are one account (S13).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from maxpool.adapters.refreshlock import FileRefreshLocks
from maxpool.adapters.secrets import ReferenceSecrets
from maxpool.app import accounts
from maxpool.app.login import opened
from maxpool.app.logins import LOCKS_FOLDER
from maxpool.config import derive
from maxpool.config.account import CLAUDE_CODE
from maxpool.errors import MaxpoolError, SecretError, StateError
from maxpool.ports import Secret
from maxpool.service import identity
from maxpool.service.identity import Known
from maxpool.service.origins import origin_of
from maxpool.service.tokens import PLAN_TOKEN
from maxpool.wire.credential import StoredCredential, decode, encode

PLAN_NOTE = (
    "The provider gave a subscription's token: this account serves Claude Code only, as its terms "
    'want it (serves = ["claude-code"]).'
)

LOCK_S = 10.0
"""So long a refresh is waited for: it takes a good part of a second, and a person waits here."""

if TYPE_CHECKING:
    from datetime import date

    from maxpool.app.login import Login
    from maxpool.config.account import AccountConfig
    from maxpool.ports import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a login came to. `already`: the account had this login under another name."""

    id: str
    name: str
    kind: str
    renewed: bool = False
    already: bool = False
    moved: bool = False
    place: str | None = None
    notes: tuple[str, ...] = ()


def keep(
    login: Login, credential: StoredCredential | None, accepted: date | None = None
) -> Outcome:
    """Store the credential, then name the account in the config."""
    known = _known(login)
    fresh = Known(
        id="",
        name=login.entry.name,
        kind=login.entry.kind,
        provider=derive.provider(login.entry),
        plan=login.entry.plan,
        credential=credential,
    )
    before = next((k for k in known if k.name == fresh.name), None)
    others = [k for k in known if k.name != fresh.name]
    twin = identity.same_login(fresh, others)
    if twin is not None and (before is None or identity.same_login(fresh, [before]) is None):
        return _renew_twin(login, twin, credential)
    if before is not None and identity.is_another(before, fresh):
        raise MaxpoolError(
            f"this is somebody else's login, or another organisation's, than {fresh.name} has",
            f"Take another name for it, or first: maxpool logout {fresh.name} --keep-entry",
        )
    fresh = replace(fresh, id=_id(login, fresh))
    if credential is not None:
        _store(login, fresh.id, credential)
    narrowed = _of_a_plan(login, credential)
    _write_entry(login, fresh.id, accepted, narrowed=narrowed)
    return Outcome(
        id=fresh.id,
        name=fresh.name,
        kind=fresh.kind,
        renewed=login.existing is not None,
        moved=login.existing is not None and _moved(login),
        place=login.vault.place if login.vault is not None else None,
        notes=(*_notes(login, fresh, others), *((PLAN_NOTE,) if narrowed else ())),
    )


def _store(login: Login, account_id: str, credential: StoredCredential) -> None:
    """Put a credential into the vault, between two refreshes and not during one.

    A refresh that hangs keeps no new login out: it sees that there is one, and leaves it.
    """
    locks = FileRefreshLocks(derive.state_folder(login.config) / LOCKS_FOLDER)
    held = None
    with suppress(StateError):
        held = locks.acquire(account_id, LOCK_S)
    try:
        _vault(login).put(account_id, Secret(encode(credential)))
    finally:
        if held is not None:
            held.release()


def _known(login: Login) -> list[Known]:
    """Every account of the config with the credential it has now."""
    return [
        Known(
            id=entry.stable_id,
            name=entry.name,
            kind=entry.kind,
            provider=derive.provider(entry),
            plan=entry.plan,
            credential=_credential(login, entry),
        )
        for entry in login.config.accounts
    ]


def _credential(login: Login, entry: AccountConfig) -> StoredCredential | None:
    """What an entry holds; None where there is nothing, or nothing that can be read now."""
    reference = derive.reference(entry)
    form, _, rest = reference.partition(":")
    try:
        if form.startswith("vault") and login.vault is not None:
            text = login.vault.get(rest)
            return decode(text.reveal()) if text is not None else None
        if form in ("env", "file"):  # a command may ask its owner something, and waits
            secret = ReferenceSecrets(folder=login.path.parent).resolve(reference)
            origin = origin_of(derive.base_url(login.config, entry))
            return StoredCredential(secret=secret.reveal(), origin=origin)
    except (SecretError, ValueError):
        return None
    return None


def _id(login: Login, fresh: Known) -> str:
    """The id of the account: its own where it has one, else from whose login it is."""
    if login.existing is not None:
        return login.existing.stable_id
    found = identity.account_id(fresh)
    taken = {entry.stable_id for entry in login.config.accounts}
    return identity.account_id(replace(fresh, credential=None)) if found in taken else found


def _of_a_plan(login: Login, credential: StoredCredential | None) -> bool:
    """Whether it is a subscription's token in an account that would serve other programs, too."""
    if credential is None or login.entry.kind != "oauth":
        return False
    of_plan = credential.secret.startswith(PLAN_TOKEN)
    return of_plan and not derive.may_use_plan(login.config, login.entry)


def _write_entry(
    login: Login, account_id: str, accepted: date | None, *, narrowed: bool = False
) -> None:
    keys = login.wish.keys() | ({"serves": [CLAUDE_CODE]} if narrowed else {})
    if login.existing is None:
        values = {"name": login.entry.name, "id": account_id, "kind": login.entry.kind, **keys}
        accounts.add_entry(login.path, {**values, "terms_accepted": accepted})
        return
    changes: dict[str, Any] = {k: v for k, v in keys.items() if v is not None}
    changes |= opened(login.existing, login.wish)
    if login.existing.secret is not None:
        changes["secret"] = None
    if login.existing.id is None:
        changes["id"] = account_id
    if accepted is not None:
        changes["terms_accepted"] = accepted
    if changes:
        accounts.set_entry(login.path, login.existing.name, changes)


def _renew_twin(login: Login, twin: Known, credential: StoredCredential | None) -> Outcome:
    """Give the login to the account that has it already; the config stays as it is."""
    entry = next(e for e in login.config.accounts if e.name == twin.name)
    assert credential is not None
    place = entry.secret or _vault(login).place
    if entry.secret is None:
        origin = twin.credential.origin if twin.credential is not None else credential.origin
        _store(login, twin.id, replace(credential, origin=origin))
    return Outcome(
        id=twin.id, name=twin.name, kind=twin.kind, renewed=True, already=True, place=place
    )


def _vault(login: Login) -> Vault:
    assert login.vault is not None
    return login.vault


def _moved(login: Login) -> bool:
    """Whether the account's requests go to another origin than before."""
    assert login.existing is not None
    before = derive.base_url(login.config, login.existing)
    return origin_of(before) != origin_of(login.destination.base_url)


def _notes(login: Login, fresh: Known, others: list[Known]) -> list[str]:
    notes = []
    existing = login.existing
    if existing is not None and existing.secret is not None:
        notes.append(f"Its secret was {existing.secret}; now the vault has it.")
    if existing is not None and not existing.enabled:
        notes.append("It was disabled and is enabled again.")
    other = identity.shares_organization(fresh, others) if fresh.kind == "subscription" else None
    if other is not None:
        notes.append(
            f"It has the same organisation as {other.name}: unless they are two seats of a team, "
            "they are one subscription with one quota."
        )
    return notes
