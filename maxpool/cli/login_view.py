"""The words of `maxpool login`: the notice on subscriptions, what to do next, what came out.

Texts only. The notice says what the README's "Accounts and terms" says; a test keeps their date equal.
"""

from __future__ import annotations

from datetime import date
from shlex import quote
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maxpool.app.keep import Outcome

NOTICE_DATE = date(2026, 11, 20)
"""When the notice last changed; a yes to an older one is asked for again."""

NOTICE = (
    f"Accounts and terms (as of {NOTICE_DATE}; read your provider's own, they change):",
    "- maxpool is for accounts you own: no other people's logins, no resale, no evading of bans.",
    "- A subscription serves Claude Code only, unmodified; API keys serve everything and are recommended.",
    "- Anthropic's rules, as quoted in October 2026, do not permit routing other people's requests through",
    "  Free, Pro or Max logins. Whether pooling your own suits your agreement is yours to decide.",
)

KINDS = {
    "api_key": "API key",
    "subscription": "subscription",
    "oauth": "OAuth login",
    "home": "home",
    "provider": "provider",
}


def sign_in_lines(url: str, *, opened: bool, pasted: bool) -> list[str]:
    """Where to sign in with a browser."""
    first = (
        "Your browser opens the provider's sign-in page. If it does not, open:"
        if opened
        else "Sign in in your browser:"
    )
    lines = ["", first, "", f"  {url}", ""]
    if pasted:
        lines.append(
            "maxpool notices by itself when the browser comes back to this machine. Otherwise paste"
        )
        lines.append(
            "what the page shows (CODE#STATE), or the address that the browser could not open."
        )
    return lines


def setup_token_lines(*, installed: bool, install: str) -> list[str]:
    """How a subscription's token is made."""
    if installed:
        return [
            "",
            "Starting `claude setup-token`: sign in in your browser with the right account.",
            "It prints a token that is valid for a year; copy it.",
            "",
        ]
    return [
        "",
        "Claude Code is not installed here. Where it is, run `claude setup-token`, sign in with the",
        f"right account and copy the token that it prints. To install it: {install}",
        "",
    ]


def outcome_lines(outcome: Outcome, *, unverified: str | None, server: str) -> list[str]:
    """What came out: the result, what is worth knowing, what comes next."""
    if outcome.already:
        first = f"This is already {outcome.name}; it has the new login."
    elif outcome.renewed:
        first = f"{outcome.name} has a new login."
    else:
        first = f"{outcome.name} is added ({KINDS[outcome.kind]})."
    lines = [first]
    if unverified is not None:
        lines.append(f"Not verified: {unverified}. It is kept; its first use will tell.")
    lines += outcome.notes
    if outcome.place is not None:
        lines.append(f"Its secret is in {outcome.place}.")
    return [*lines, _next(outcome, server)]


def _next(outcome: Outcome, server: str) -> str:
    name = quote(outcome.name)
    if outcome.kind == "home":
        return f"Next: maxpool run --home (or --account {name})"
    if outcome.moved and server == "not running":  # a running one was told already
        return f"Its base_url is new. Next: maxpool serve --confirm {name}"
    if server == "follows":
        return f"The running server uses it now. Next: maxpool accounts show {name}"
    if server == "did not follow":
        return "Next: maxpool reload"
    return "Next: maxpool serve"


def outcome_json(
    outcome: Outcome, *, verified: bool, unverified: str | None, server: str
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "id": outcome.id,
        "name": outcome.name,
        "kind": outcome.kind,
        "renewed": outcome.renewed,
        "already": outcome.already,
        "verified": verified,
        "unverified": unverified,
        "secret_in": outcome.place,
        "notes": list(outcome.notes),
        "server": server,
    }
