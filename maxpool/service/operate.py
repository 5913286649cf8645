"""What a person does with the running pool: commands, run-time accounts, settings changed by hand.

Each method does one thing at once or raises `RequestError` and has changed nothing. It knows no HTTP
and shows nothing; choosing stays the pool's.
"""

from __future__ import annotations

import difflib
import logging
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any, cast

from maxpool.config import derive
from maxpool.config.identity import OWN_LOGINS
from maxpool.core.account import CLIENT
from maxpool.core.health import HealthState
from maxpool.core.lease import Command, CredentialChange
from maxpool.errors import MaxpoolError, RequestError
from maxpool.ports import Secret
from maxpool.service.clientlogin import ORIGIN
from maxpool.service.editing import in_words
from maxpool.service.roster import SETTINGS, read_entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from maxpool.config.account import AccountConfig
    from maxpool.core.pool import Pool
    from maxpool.ports import Clock
    from maxpool.service.editing import Editing
    from maxpool.service.origins import Origins
    from maxpool.service.reload import Reloader
    from maxpool.service.roster import Roster
    from maxpool.service.waiting import WaitingRoom

log = logging.getLogger("maxpool.admin")

ACCOUNT_ACTIONS = ("enable", "disable", "drain", "reset", "prefer")
POOL_ACTIONS = ("pause", "resume", "automatic")
_REFERENCES = ("env:", "file:")
MAX_SECRET_CHARACTERS = 64 * 1024
_SHORTEST_PREFIX = 4


@dataclass(slots=True, kw_only=True)
class Operator:
    """Carries out what the admin API asks. `settle` makes the roster's accounts the pool's.

    `bind_origins` takes the names of accounts whose new origin their owner confirms.
    `stop` ends the server gracefully, `hand_over` lets another process take its place; None where nobody
    listens to that (the demo, a test).
    `probe` and `refresh` take an account id and return what came of it, in a sentence; they raise
    `MaxpoolError` when it could not be done. `editing` is None where there is no config file.
    `local_key`: the SHA-256 of the state folder's own client key, "" when there is none.
    """

    pool: Pool
    roster: Roster
    reloader: Reloader
    waiting: WaitingRoom
    clock: Clock
    settle: Callable[[], None]
    origins: Origins
    bind_origins: Callable[[tuple[str, ...]], None]
    config_path: Path | None = None
    stop: Callable[[], None] | None = None
    hand_over: Callable[[], Awaitable[dict[str, Any]]] | None = None
    probe: Callable[[str], Awaitable[str]] | None = None
    refresh: Callable[[str], Awaitable[str]] | None = None
    editing: Editing | None = None
    local_key: Callable[[], str] = str
    leaving: bool = False  # another process goes on with the pool as it was at the last save

    # -- the pool as a whole ---------------------------------------------------------------------

    def command(self, action: str, account_id: str | None = None) -> None:
        """Pause, resume, automatic; or enable, disable, drain, reset, prefer an account."""
        if action == "prefer" and account_id is not None:
            state = self.pool.states[account_id]
            if not state.enabled:
                raise _conflict(
                    f"{state.account.name} is disabled. Enable it before preferring it."
                )
        if action == "reset" and account_id is not None:
            self._check_opens(account_id)
        command = Command(cast("Any", action), account_id)
        if not self._carry_out(command):
            raise _conflict(f"The pool cannot {action} now.")
        log.info("by hand: %s %s", action, self._name(account_id))
        self.waiting.wake()

    def reload(self) -> None:
        """Read the config file again; a wrong one changes nothing."""
        if not self.reloader.reload():
            raise RequestError(
                400,
                "invalid_request_error",
                f"The config was not applied, the earlier one still holds: {self.reloader.error}",
            )

    def shut_down(self) -> int:
        """Stop as SIGTERM does; returns how many answers still run and may finish."""
        if self.stop is None:
            raise _conflict("This server ends with the program that started it.")
        log.info("by hand: stop")
        self.stop()
        return len(self.pool.running)

    async def succeed(self) -> dict[str, Any]:
        """Another process takes over without losing a connection; returns once that one serves."""
        if self.hand_over is None:
            raise _conflict("This server ends with the program that started it.")
        return await self.hand_over()

    # -- accounts ----------------------------------------------------------------------------------

    def confirm(self, account_id: str) -> None:
        """Its owner says that its credential may go where `base_url` leads now."""
        name = self._name(account_id)
        if account_id not in self.origins.locked:
            raise _conflict(f"There is nothing to confirm: the base_url of {name} has not changed.")
        self.bind_origins((name,))
        log.info("by hand: account %s: its new base_url is confirmed", name)
        self.settle()

    def confirm_logins(self) -> str:
        """The same for clients' own logins, all together; returns the origin."""
        if ORIGIN not in self.origins.locked:
            raise _conflict("There is nothing to confirm: [upstream] base_url has not changed.")
        self.bind_origins((OWN_LOGINS,))
        log.info("by hand: the new base_url of clients' own logins is confirmed")
        return self.origins.bound[ORIGIN]

    def account_id(self, wanted: str) -> str:
        """The id for an id or a unique name; 404 for nobody's, naming the nearest."""
        if wanted in self.pool.states:
            return wanted
        names: dict[str, list[str]] = {}
        for account_id, state in self.pool.states.items():
            names.setdefault(state.account.name, []).append(account_id)
        found = names.get(wanted, [])
        if len(found) == 1:
            return found[0]
        if found:
            raise _conflict(f"Several accounts are called {wanted!r}: say which by its id.")
        near = difflib.get_close_matches(wanted, names, n=1)
        meant = (
            f" Did you mean {near[0]}?" if near else f" There are: {', '.join(names) or 'none'}."
        )
        raise RequestError(
            404, "not_found_error", f"There is no account {wanted[:100]!r}.{meant[:500]}"
        )

    def add(self, data: Mapping[str, Any]) -> tuple[str, bool]:
        """Add a run-time account or replace one by name; returns its id and whether it is new.

        Another credential or origin than before is a new login: what kept the account closed is over.
        """
        secrets = self.roster.secrets
        held = self.roster.named(str(data.get("name")))
        given = data.get("secret")
        reference = _reference(given)
        if isinstance(given, str) and reference is None:
            reference = secrets.keep(Secret(given), held.secret if held is not None else None)
        try:
            folder = self.config_path.parent if self.config_path is not None else None
            entry = read_entry(data, self.roster.config, reference, folder)
            # Its secret was given for this origin: another shared one in the config changes nothing.
            origin = derive.base_url(self.roster.config, entry)
            entry = entry.model_copy(update={"base_url": origin})
            self._check_free(entry)
            old = self.roster.add(entry, self.clock.now())
        finally:
            self.roster.tidy()
        self.settle()
        if old is not None and self._moved(old, entry):
            self._revive(entry.stable_id)
        if "enabled" in data:
            self.command("enable" if entry.enabled else "disable", entry.stable_id)
        log.info("by hand: account %s %s", entry.name, "replaced" if old is not None else "added")
        return entry.stable_id, old is None

    def change(self, account_id: str, values: Mapping[str, Any]) -> None:
        """Change settings of an account until the config says something else for them."""
        known = (*SETTINGS, "enabled")
        unknown = [key for key in values if key not in known]
        if unknown or not values:
            said = (
                f"{unknown[0]!r:.100} cannot be changed" if unknown else "Nothing is to be changed"
            )
            raise RequestError(
                400, "invalid_request_error", f"{said} here. What can: {', '.join(known)}."
            )
        settings = dict(values)
        enabled = settings.pop("enabled", None)
        if "enabled" in values and not isinstance(enabled, bool):
            raise RequestError(400, "invalid_request_error", "enabled must be true or false.")
        if settings:
            self._check_written(account_id)
            self.roster.change(account_id, settings)
            self.settle()
        if enabled is not None:
            self.command("enable" if enabled else "disable", account_id)
        log.info("by hand: account %s: %s changed", self._name(account_id), ", ".join(values))

    async def remove(self, account_id: str, *, keep_secret: bool = False) -> str:
        """Remove an account: a run-time one, or one of the config from there; returns what was done."""
        name = self._name(account_id)
        if account_id in self.roster.added:
            self.roster.remove(account_id)
            self.settle()
            log.info("by hand: account %s removed", name)
            return f"{name} is removed."
        self._check_written(account_id)
        if account_id not in {entry.stable_id for entry in self.roster.config.accounts}:
            raise _conflict(
                f"{name} came with its client's own requests: there is nothing to remove."
            )
        if self.editing is None:
            where = f"in {self.config_path}" if self.config_path is not None else "in the config"
            raise _conflict(
                f"{name} stands {where}: remove its [[accounts]] entry there. The server follows within "
                "a second."
            )
        return await self.editing.remove_account(name, keep_secret=keep_secret)

    async def ask_usage(self, account_id: str) -> str:
        """Ask the provider how much of the account's quota is used, now."""
        if self.probe is None:
            raise _conflict("This server cannot ask accounts for their usage.")
        return await _done(self.probe(account_id))

    async def renew_login(self, account_id: str) -> str:
        """Get new tokens for the account's login now, or take a new login's."""
        if self.refresh is None:
            raise _conflict("This server has no logins that could be refreshed.")
        return await _done(self.refresh(account_id))

    def file(self) -> Editing:
        """The config file, to change it; 409 where there is none."""
        if self.editing is None:
            raise _conflict("This server has no config file in which client keys could be kept.")
        return self.editing

    # -- sessions ----------------------------------------------------------------------------------

    def session_key(self, wanted: str) -> str:
        """The key of a bound session, as shown or by a unique beginning; 404 for nobody's."""
        key = wanted.replace("/", "\x1f")
        known = self.pool.bindings.by_key
        if key in known:
            return key
        found = [k for k in known if k.startswith(key)] if len(key) >= _SHORTEST_PREFIX else []
        if len(found) == 1:
            return found[0]
        what = "Several sessions begin with" if found else "There is no session"
        raise RequestError(404, "not_found_error", f"{what} {wanted[:100]!r}.")

    def move(self, session: str, account: str) -> tuple[str, str]:
        """Bind a session to an account; returns the session's key and the account's id."""
        key, account_id = self.session_key(session), self.account_id(account)
        if not self.pool.states[account_id].enabled:
            raise _conflict(f"{self._name(account_id)} is disabled: no session can move there.")
        command = Command("move_session", account_id, key)
        if not self._carry_out(command):
            raise _conflict("The session ended meanwhile.")
        log.info("by hand: a session moved to %s", self._name(account_id))
        self.waiting.wake()
        return key, account_id

    # -- the rest ----------------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> bool:
        if self.leaving:
            raise _conflict("Another process is taking over. Ask again.")
        return self.pool.command(command, self.clock.now())

    def _check_opens(self, account_id: str) -> None:
        """A reset forgets troubles; it vouches for no credential."""
        state, name = self.pool.states[account_id], self._name(account_id)
        if account_id in self.origins.locked:
            raise _conflict(
                f"{name} is locked, a reset does not lift that. Its base_url changed: confirm the new "
                f"one with `maxpool accounts confirm {quote(name)}`."
            )
        if state.credential.dead or state.health.state is HealthState.LOCKED_OUT:
            cause = state.health.reason or state.credential.dead or "its login is dead"
            raise _conflict(
                f"{name} is locked ({cause}), a reset does not lift that. Give it a secret that works "
                "where its entry says that it is found: the server sees that within seconds, or at "
                "`maxpool reload`."
            )

    def _check_written(self, account_id: str) -> None:
        """A client's own login stands in no config: there is nothing to change or to remove."""
        if self.pool.states[account_id].account.kind == CLIENT:
            raise _conflict(
                f"{self._name(account_id)} comes with the requests of its client, and no entry says "
                "anything of it. It can be disabled; [pool] client_login says what holds for all."
            )

    def _check_free(self, entry: AccountConfig) -> None:
        for other in self.roster.config.accounts:
            if entry.name == other.name or entry.stable_id == other.stable_id:
                where = f" {self.config_path}" if self.config_path is not None else ""
                raise _conflict(f"The config{where} has an account {other.name!r}: edit it there.")
        twin = self.roster.twin(entry)
        if twin is not None:
            raise _conflict(f"That is the login of {twin!r} already: one login is one account.")
        for account_id, one in self.roster.added.items():
            if account_id == entry.stable_id and one.entry.name != entry.name:
                raise _conflict(f"The run-time account {one.entry.name!r} has that id.")

    def _moved(self, old: AccountConfig, new: AccountConfig) -> bool:
        config = self.roster.config
        origins = derive.base_url(config, old), derive.base_url(config, new)
        return old.stable_id == new.stable_id and (
            old.secret != new.secret or origins[0] != origins[1]
        )

    def _revive(self, account_id: str) -> None:
        now = self.clock.now()
        self.pool.credential(account_id, CredentialChange("logged_in"), now)
        self.pool.command(Command("reset", account_id), now)
        self.waiting.wake()

    def _name(self, account_id: str | None) -> str:
        state = self.pool.states.get(account_id or "")
        return state.account.name if state is not None else ""


def _reference(given: object) -> str | None:
    """What is a reference is used as one; None for a secret given as it is (or not at all)."""
    if given is None:
        return None
    if not isinstance(given, str) or not given.strip() or len(given) > MAX_SECRET_CHARACTERS:
        raise RequestError(400, "invalid_request_error", "secret must be the secret as text.")
    if given.strip().lower().startswith("command:"):
        raise RequestError(
            400,
            "invalid_request_error",
            "A command: secret can be set only in the config file, never over HTTP.",
        )
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in given):
        raise RequestError(400, "invalid_request_error", "secret must be one line of text.")
    return given if given.startswith(_REFERENCES) else None


async def _done(work: Awaitable[str]) -> str:
    try:
        return await work
    except MaxpoolError as error:
        raise _conflict(in_words(error)) from error


def _conflict(message: str) -> RequestError:
    return RequestError(409, "invalid_request_error", message)
