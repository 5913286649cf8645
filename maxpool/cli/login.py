"""`maxpool login`: add an account, or give one a new login, whether a server runs or not.

Asks and shows; `maxpool.app.login` and `keep` do it. No secret is ever an argument: it is pasted
unseen, read from stdin, or comes back from the browser.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from maxpool.app.login import Login
    from maxpool.ports import Secret
    from maxpool.service.discovery import Discovery
    from maxpool.service.login import Attempt
    from maxpool.service.verifying import Finding
    from maxpool.wire.credential import StoredCredential

TRIES = 3
MAX_STDIN_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line."""

    name: str
    api_key: bool
    provider_url: str | None
    profile: str | None
    home: bool
    from_stdin: bool
    no_key: bool
    api_format: str | None
    paste: bool
    no_browser: bool
    timeout_s: float
    config_dir: Path | None
    plan: str | None
    base_url: str | None
    priority: int | None
    accept_terms: bool
    config_file: Path | None
    as_json: bool

    def kind(self) -> str | None:
        """The kind of account asked for; None where nothing was said."""
        given = {
            "api_key": self.api_key,
            "provider": self.provider_url is not None,
            "oauth": self.profile is not None,
            "home": self.home,
        }
        kinds = [kind for kind, wanted in given.items() if wanted]
        if len(kinds) > 1:
            raise click.UsageError("--api-key, --provider, --oauth and --home exclude each other")
        if self.provider_url is not None and self.base_url is not None:
            raise click.UsageError("--provider names the base URL already")
        if self.no_key and self.provider_url is None:
            raise click.UsageError("--no-key is for --provider")
        if self.api_format is not None and self.provider_url is None:
            raise click.UsageError("--format is for --provider")
        if self.config_dir is not None and not self.home:
            raise click.UsageError("--config-dir is for --home")
        return kinds[0] if kinds else None


def _seconds(ctx: click.Context, parameter: click.Parameter, value: str) -> float:
    from maxpool.config.units import parse_duration

    try:
        found = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write 5m or 90s", ctx, parameter) from None
    if found <= 0:
        raise click.BadParameter("must be longer than zero", ctx, parameter)
    return found


@click.command(
    name="login",
    epilog="Example: maxpool login console --api-key",
)
@click.argument("name")
@click.option("--api-key", is_flag=True, help="An API key, pasted unseen or from --stdin.")
@click.option("--provider", "provider_url", metavar="URL", help="Another service, at this address.")
@click.option("--oauth", "profile", metavar="PROFILE", help="Sign in at [oauth.PROFILE].")
@click.option("--home", is_flag=True, help="A private home in which Claude Code itself signs in.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the secret from stdin.")
@click.option("--no-key", is_flag=True, help="With --provider: it asks for no key.")
@click.option(
    "--format",
    "api_format",
    type=click.Choice(["anthropic", "openai-chat", "generate"]),
    help="With --provider: what it speaks.  [default: found out]",
)
@click.option("--paste", is_flag=True, help="Start nothing: show the address, take what I paste.")
@click.option("--no-browser", is_flag=True, help="Show the address, open no browser.")
@click.option(
    "--timeout",
    "timeout_s",
    default="5m",
    show_default=True,
    callback=_seconds,
    metavar="TIME",
    help="How long to wait for the browser.",
)
@click.option(
    "--config-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="With --home: the home's folder.  [default: in the state folder]",
)
@click.option("--plan", metavar="PLAN", help="How much it holds: max_20x, max_5x, pro, ...")
@click.option("--base-url", metavar="URL", help="Where its requests go, if not [upstream].")
@click.option("--priority", type=int, metavar="N", help="Lower goes first.  [default: 0]")
@click.option("--accept-terms", is_flag=True, help="Say yes to the notice on subscriptions.")
@config_option
@json_option
def command(**given: Any) -> None:  # noqa: ANN401 - one keyword per option
    """Add the account NAME, or give it a new login.

    Without an option: NAME's own kind again, else a subscription, with the token that
    `claude setup-token` prints. A running server uses the login within a second.
    """
    asked = Asked(**given)
    from maxpool.app.keep import keep
    from maxpool.app.login import Wish, is_interactive, is_of_plan, prepare
    from maxpool.cli.login_view import outcome_json, outcome_lines
    from maxpool.cli.tables import printable
    from maxpool.config.account import OF_CLAUDE_CODE
    from maxpool.service.verifying import Verified

    wish = Wish(
        name=asked.name,
        kind=asked.kind(),
        profile=asked.profile,
        plan=asked.plan,
        base_url=asked.provider_url or asked.base_url,
        priority=asked.priority,
        config_dir=asked.config_dir,
        keyless=asked.no_key,
        format=asked.api_format,
    )
    login = prepare(wish, asked.config_file, patient=is_interactive())
    bound = login.entry.kind in OF_CLAUDE_CODE
    if login.entry.kind == "home" and is_interactive():
        _claude()  # no notice to read where it cannot go on
    accepted = _accepted(login, asked) if bound else None
    credential: StoredCredential | None
    found: Finding | None
    spoken: Discovery | None = None
    if login.entry.kind == "provider":
        from maxpool.cli.login_provider import signed_in

        login, credential, found, spoken = signed_in(login, _key_of(login, asked))
    else:
        credential, found = _signed_in(login, asked)
    if not bound and credential is not None and is_of_plan(login, credential):
        accepted = _accepted(login, asked)
    outcome = keep(login, credential, accepted)
    server = _tell(asked.config_file, outcome.id, renewed=outcome.renewed, moved=outcome.moved)
    unverified = getattr(found, "why", None)
    if asked.as_json:
        verified = isinstance(found, Verified)
        data = outcome_json(outcome, verified=verified, unverified=unverified, server=server)
        if spoken is not None:
            from maxpool.cli.providers_view import spoken_json

            data |= spoken_json(spoken, login.entry.format)
        click.echo(json.dumps(data, indent=2))
        return
    for line in outcome_lines(outcome, unverified=unverified, server=server):
        click.echo(printable(line))


def _signed_in(login: Login, asked: Asked) -> tuple[StoredCredential | None, Finding | None]:
    """The credential and what is known of it, by the account's kind."""
    from maxpool.app.login import check, of_secret
    from maxpool.cli import loop

    kind = login.entry.kind
    if kind == "home":
        _at_home(login)
        return None, None
    if kind == "oauth":
        return _with_browser(login, asked)
    if kind == "subscription" and not (asked.paste or asked.from_stdin):
        _setup_token()
    secret = _secret(kind, from_stdin=asked.from_stdin)
    found = loop.run(check(login, secret))
    return of_secret(login, secret, found), found


def _key_of(login: Login, asked: Asked) -> Secret | None:
    """A provider's key; None for one that asks for none."""
    if login.entry.auth_header == "none":
        return None
    secret: Secret = _secret("provider", from_stdin=asked.from_stdin)
    return secret


# -- the notice ----------------------------------------------------------------------------------


def _accepted(login: Login, asked: Asked) -> date | None:
    """The day the person said yes, when that is asked now; ends the command at a no."""
    from maxpool.app.login import is_interactive, terms_accepted, today
    from maxpool.cli.login_view import NOTICE, NOTICE_DATE

    if terms_accepted(login.config, NOTICE_DATE):
        return None
    _say(NOTICE)
    if not asked.accept_terms:
        if not is_interactive():
            raise click.UsageError(
                "a subscription's first login asks for a yes to this, and there is no terminal: "
                "say it with --accept-terms"
            )
        if not click.confirm("Do you accept that?", default=False, err=True):
            click.echo("Nothing was changed.", err=True)
            raise click.exceptions.Exit(1)
    return today()


# -- secrets -------------------------------------------------------------------------------------


def _secret(kind: str, *, from_stdin: bool) -> Any:  # noqa: ANN401 - ports.Secret, which is imported late
    """A key or token of the right form."""
    from maxpool.app.login import ask_hidden, is_interactive
    from maxpool.errors import SecretError
    from maxpool.service.pasted import secret

    if from_stdin:
        return secret(_stdin(), kind)
    if not is_interactive():
        raise click.UsageError("there is no terminal to ask at: give the secret with --stdin")
    what = {"subscription": "Token", "api_key": "API key"}.get(kind, "Key")
    for left in reversed(range(TRIES)):
        text = ask_hidden(f"{what} (hidden): ")
        if text is None:
            raise click.Abort
        try:
            return secret(text, kind)
        except SecretError as error:
            if not left:
                raise
            _say([f"Sorry: {error.message}.", error.hint])
    raise AssertionError("unreachable")


def _stdin() -> str:
    data = sys.stdin.buffer.read(MAX_STDIN_BYTES + 1)
    return data.decode("utf-8", "replace")


def _setup_token() -> None:
    """Have the official program make a token, in this terminal; what it prints is not read."""
    from maxpool.app.login import INSTALL_CLAUDE, find_claude, is_interactive, run_claude
    from maxpool.cli.login_view import setup_token_lines
    from maxpool.errors import MaxpoolError

    program = find_claude()
    if not is_interactive():
        return  # `_secret` says what to do
    _say(setup_token_lines(installed=program is not None, install=INSTALL_CLAUDE))
    if program is not None and run_claude(program, ["setup-token"]) != 0:
        raise MaxpoolError(
            "`claude setup-token` made no token",
            "Run it again, or paste a token that you have: maxpool login NAME --paste",
        )


# -- signing in ----------------------------------------------------------------------------------


class _AtTerminal:
    """`app.signin.Person`."""

    def __init__(self, *, pasted: bool) -> None:
        self._pasted = pasted

    def show(self, attempt: Attempt, *, opened: bool) -> None:
        from maxpool.cli.login_view import sign_in_lines

        _say(sign_in_lines(attempt.url, opened=opened, pasted=self._pasted))

    def object(self, text: str) -> None:
        _say([f"Sorry: {text}."])


def _with_browser(login: Login, asked: Asked) -> tuple[StoredCredential, Finding]:
    """Sign in with a browser: by callback, by paste, whichever comes first."""
    from maxpool.app.login import ask_hidden_async, can_be_taken_back, is_interactive, sign_in_oauth
    from maxpool.app.signin import Ways
    from maxpool.cli import loop

    must_paste = asked.paste or login.profile.redirect == "paste"
    at_terminal = is_interactive() and not asked.from_stdin
    asks = at_terminal and (must_paste or can_be_taken_back())
    piped = asked.from_stdin or (must_paste and not at_terminal)

    async def ask() -> str | None:
        return await ask_hidden_async("" if piped else "Code or address (hidden): ")

    ways = Ways(
        browser=not (asked.no_browser or asked.paste),
        ask=ask if asks or piped else None,
        once=piped,
        timeout_s=asked.timeout_s,
    )
    return loop.run(sign_in_oauth(login, _AtTerminal(pasted=asks), ways))


def _claude() -> str:
    """The official program; raises MaxpoolError where it is not installed."""
    from maxpool.app.login import INSTALL_CLAUDE, find_claude
    from maxpool.errors import MaxpoolError

    program = find_claude()
    if program is None:
        raise MaxpoolError("Claude Code is not installed here", f"Install it: {INSTALL_CLAUDE}")
    return program


def _at_home(login: Login) -> None:
    from maxpool.app.login import dress_home, home_folder, is_interactive, sign_in_at_home

    if not is_interactive():
        raise click.UsageError("Claude Code signs in in a terminal, and there is none")
    folder = home_folder(login)
    _say(["", f"Claude Code starts in its own home, {folder}: sign in there.", ""])
    sign_in_at_home(_claude(), folder)
    undone = dress_home(login, folder)
    if undone is not None:
        _say([undone])
    _say([_status_line(folder)])


def _status_line(home: Path) -> str:
    """Put our status line into a home: nothing else tells what is left of its quota."""
    from maxpool.app.homes import install_statusline
    from maxpool.errors import StateError

    try:
        kept = install_statusline(home).done == "kept"
    except StateError as error:
        return f"Its quota stays unknown: {error.message}."
    if kept:
        return f"Its own status line stays, so its quota is unknown; to replace it: maxpool statusline install --config-dir {home}"
    return "Its status line tells the pool what is left of its quota."


# -- the running server --------------------------------------------------------------------------


def _tell(config_file: Path | None, account_id: str, *, renewed: bool, moved: bool) -> str:
    """Have a running server follow now; "follows", "did not follow" or "not running"."""
    from maxpool.cli.control import control, word
    from maxpool.errors import MaxpoolError, NotRunning

    try:
        server = control(None, config_file)
        server.post("/reload")
        if moved:  # signing in for the new address is the owner's word for it
            with suppress(MaxpoolError):  # one on this machine needs none
                server.post(f"/accounts/{word(account_id)}/confirm")
        if renewed:
            server.post(f"/accounts/{word(account_id)}/refresh")
    except NotRunning:
        return "not running"
    except MaxpoolError as error:
        _say([f"The running server did not take it: {error.message}.", error.hint])
        return "did not follow"
    return "follows"


def _say(lines: Iterable[str]) -> None:
    """What a person reads meanwhile; stdout is for the result."""
    from maxpool.cli.tables import printable

    for line in lines:
        click.echo(printable(line), err=True)
