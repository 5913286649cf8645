"""Which accounts there are: those of the config, those added at run time, and what was changed by hand.

Everything here lives in memory until the server ends. A changed setting also ends when the config
file says something else for it than it did. Knows settings and secrets, not how accounts fare.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from maxpool.config import checks, derive
from maxpool.config.account import AccountConfig
from maxpool.config.problems import Describer
from maxpool.config.providers import inherited
from maxpool.errors import RequestError, SecretError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.config.model import Config
    from maxpool.ports import Secret, SecretSource

SETTINGS = ("priority", "tier", "weight", "caps", "reserve", "emergency")
"""What may be changed of an account while the server runs. (Enabling is the pool's own command.)"""

MAX_ADDED = 1000
"""Accounts added at run time; a program that adds them in a loop must not fill the memory."""

GIVEN = "given:"
"""How a reference to a secret begins that was given as it is, and rests in memory only."""

_STANDS_IN = "env:GIVEN"
_ENTRY = "[[accounts]] entry 1"


@dataclass(frozen=True, slots=True)
class Added:
    """An account added at run time; its entry's `secret` is a reference."""

    entry: AccountConfig
    at: float


@dataclass(frozen=True, slots=True)
class Changed:
    """A setting changed by hand, and what the config said then: it holds as long as that stays."""

    value: Any
    instead_of: Any


@dataclass(slots=True)
class GivenSecrets:
    """`ports.SecretSource`: secrets given as they are, in memory; all others from the next source."""

    source: SecretSource
    values: dict[str, Secret] = field(default_factory=dict)
    count: int = 0

    def resolve(self, reference: str) -> Secret:
        """The secret behind a reference; raises SecretError."""
        if not reference.startswith(GIVEN):
            return self.source.resolve(reference)
        try:
            return self.values[reference]
        except KeyError:
            raise SecretError(
                "its secret was given at run time and is gone", "Add the account again"
            ) from None

    def keep(self, value: Secret, earlier: str | None) -> str:
        """Keep a secret and return its reference: the earlier one where that is the same secret."""
        if earlier is not None and self.values.get(earlier) == value:
            return earlier
        self.count += 1
        reference = f"{GIVEN}{self.count}"
        self.values[reference] = value
        return reference

    def same(self, first: str, second: str) -> bool:
        """Whether two references surely lead to one secret."""
        given = self.values.get(first)
        return first == second or (given is not None and given == self.values.get(second))

    def forget(self, used: frozenset[str]) -> None:
        """Drop every secret whose reference is no longer used."""
        self.values = {r: value for r, value in self.values.items() if r in used}


@dataclass(slots=True)
class Roster:
    """The accounts as they hold now. `config`: the one in force."""

    config: Config
    secrets: GivenSecrets
    added: dict[str, Added] = field(default_factory=dict)
    changed: dict[str, dict[str, Changed]] = field(default_factory=dict)

    def effective(self) -> Config:
        """The config with the accounts as they hold now, those added at run time last."""
        entries = [*self.config.accounts, *(one.entry for one in self.added.values())]
        held = tuple(self._with_changes(entry) for entry in entries)
        return self.config.model_copy(update={"accounts": held})

    def follow(self, config: Config) -> list[str]:
        """Go by another config; returns names of run-time accounts that it replaces by its own."""
        self.config = config
        entries = {entry.stable_id: entry for entry in config.accounts}
        names = {entry.name for entry in config.accounts}
        gone = [i for i, one in self.added.items() if i in entries or one.entry.name in names]
        replaced = [self.added.pop(account_id).entry.name for account_id in gone]
        entries |= {i: one.entry for i, one in self.added.items()}
        self.changed = {
            i: kept
            for i, changes in self.changed.items()
            if i in entries and i not in gone and (kept := _still(changes, entries[i]))
        }
        self.tidy()
        return replaced

    def add(self, entry: AccountConfig, now: float) -> AccountConfig | None:
        """Add an account, or replace the run-time one of that name; returns the replaced entry."""
        old = self.named(entry.name)
        if len(self.added) >= MAX_ADDED and old is None:
            raise RequestError(
                409,
                "invalid_request_error",
                f"There are {MAX_ADDED} run-time accounts already. Remove some first.",
            )
        if old is not None:
            del self.added[old.stable_id]
            self.changed.pop(old.stable_id, None)
        self.added[entry.stable_id] = Added(entry, now)
        self.tidy()
        return old

    def remove(self, account_id: str) -> None:
        """Forget a run-time account and what was changed of it."""
        self.added.pop(account_id, None)
        self.changed.pop(account_id, None)
        self.tidy()

    def change(self, account_id: str, values: Mapping[str, Any]) -> None:
        """Change settings of an account; raises `RequestError` and changes nothing if one is wrong."""
        written = self.entry(account_id)
        settings = written.model_dump(include=set(SETTINGS)) | dict(values)
        checked = _validated({"name": written.name, "kind": written.kind, **settings})
        changes = self.changed.setdefault(account_id, {})
        for key in values:
            value, before = getattr(checked, key), getattr(written, key)
            changes[key] = Changed(value, before)
            if value == before:
                del changes[key]
        if not changes:
            del self.changed[account_id]

    def entry(self, account_id: str) -> AccountConfig:
        """An account as it was written, without changes by hand; LookupError for nobody's id."""
        if account_id in self.added:
            return self.added[account_id].entry
        return {entry.stable_id: entry for entry in self.config.accounts}[account_id]

    def named(self, name: str) -> AccountConfig | None:
        """The run-time account of that name."""
        return next((one.entry for one in self.added.values() if one.entry.name == name), None)

    def twin(self, entry: AccountConfig) -> str | None:
        """The name of another account with the same login, which would be counted twice (claim S13).

        A provider's key may stand in several entries, each with models of its own.
        """
        if entry.secret is None or entry.kind == "provider":
            return None
        here = derive.base_url(self.config, entry)
        for other in (*self.config.accounts, *(one.entry for one in self.added.values())):
            if other.name == entry.name or other.secret is None or other.kind == "provider":
                continue
            same = self.secrets.same(other.secret, entry.secret)
            if same and derive.base_url(self.config, other) == here:
                return other.name
        return None

    def overrides(self) -> dict[str, dict[str, Any]]:
        """What was changed by hand, by account id."""
        return {i: {k: c.value for k, c in changes.items()} for i, changes in self.changed.items()}

    def _with_changes(self, entry: AccountConfig) -> AccountConfig:
        changes = self.changed.get(entry.stable_id)
        if not changes:
            return entry
        return entry.model_copy(update={key: change.value for key, change in changes.items()})

    def tidy(self) -> None:
        """Forget secrets that no account uses."""
        references = (one.entry.secret for one in self.added.values())
        self.secrets.forget(frozenset(r for r in references if r is not None))


def read_entry(
    data: Mapping[str, Any], config: Config, secret: str | None, folder: object
) -> AccountConfig:
    """An account as it is given over HTTP, checked as the config file's are.

    `secret`: its reference, None where none is given. Raises `RequestError` with every problem; no
    message repeats a value.
    """
    sections = {name: section.defaults() for name, section in config.providers.items()}
    given = inherited(data, sections)
    given.pop("secret", None)
    if secret is not None:
        given["secret"] = _STANDS_IN if secret.startswith(GIVEN) else secret
    entry = _validated(given, folder)
    parts = checks.Parts(upstream=config.upstream, accounts=((0, entry),))
    _raise(Describer("", "").from_findings(checks.find(parts)))
    if (secret is None and derive.reference(entry).startswith("vault:")) or entry.kind == "home":
        raise RequestError(
            400,
            "invalid_request_error",
            "The account is wrong: it has no secret. Give it one, or add it with `maxpool login`.",
        )
    if secret is None:  # what the vault holds is for accounts of the config, whatever their id
        return entry.model_copy(update={"auth_header": "none"})
    given_here = secret.startswith(GIVEN)
    return entry.model_copy(update={"secret": secret}) if given_here else entry


def _validated(data: Mapping[str, Any], folder: object = None) -> AccountConfig:
    try:
        context = {"folder": folder}
        return AccountConfig.model_validate(data, context=context, by_alias=True, by_name=False)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        for one in errors:
            one["loc"] = ("accounts", 0, *one["loc"])
        _raise(Describer("", "").from_pydantic(errors))
        raise


def _raise(problems: list[Any]) -> None:
    if problems:
        told = "; ".join(f"{p.message} ({p.hint})" if p.hint else p.message for p in problems)
        words = told.replace(f" in {_ENTRY}", "").replace(f"{_ENTRY} ", "")
        raise RequestError(400, "invalid_request_error", f"The account is wrong: {words}.")


def _still(changes: Mapping[str, Changed], entry: AccountConfig) -> dict[str, Changed]:
    """The changes whose key the config still says as it did."""
    return {key: c for key, c in changes.items() if getattr(entry, key) == c.instead_of}
