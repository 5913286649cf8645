"""Alerts in words, and in the form that each kind of receiver takes. Values only; nothing is sent here.

Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (`text`, with & < > escaped).
Discord: https://docs.discord.com/developers/resources/webhook#execute-webhook (`content`, 2,000 characters).
ntfy: https://docs.ntfy.sh/publish/#publish-as-json (to the root, topic inside). Anything else by HTTP gets
our own JSON. A message holds names, shares and times; never a secret, never a word of a request.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maxpool.core.alerts import Change

Form = Literal["json", "slack", "discord", "ntfy", "apprise"]

DISCORD_CHARS: Final = 2000
WHY_CHARS: Final = 200
MAX_LINES: Final = 20
"""Of one message; what else there is, is a number."""

FORMS: Final = (
    '"https://...", "slack://T/B/KEY", "discord://ID/TOKEN", "ntfy://HOST/TOPIC" or "apprise:URL"'
)
SECRET_FORMS: Final = frozenset({"slack", "discord", "apprise"})
"""Whose address itself is the secret."""

_SLACK_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_JSON: Final = (b"content-type", b"application/json")


class Target(NamedTuple):
    """Where alerts go: the form and the URL to post to; `topic`: ntfy's; `login`: for `authorization`."""

    form: Form
    url: str
    topic: str = ""
    login: str = ""

    @property
    def label(self) -> str:
        """What may be shown of it."""
        if self.form == "apprise":
            return f"apprise {self.url.partition(':')[0]}"
        return f"{self.form} {urlsplit(self.url).hostname}"


class Message(NamedTuple):
    """What is told at once. `alerts`: each of it, for programs."""

    title: str
    lines: tuple[str, ...]
    urgent: bool
    over: bool
    alerts: tuple[dict[str, object], ...]

    @property
    def text(self) -> str:
        """All lines, as one."""
        return "\n".join(self.lines)


# -- targets --------------------------------------------------------------------------------------


def target_of(text: str) -> Target:
    """The target that a URL names; ValueError, with words that hold nothing of it, where it names none."""
    if text.startswith("apprise:"):
        rest = text.removeprefix("apprise:")
        if "://" not in rest:
            raise ValueError("must name a URL that apprise knows behind apprise:")
        return Target("apprise", rest)
    if text.startswith("command:"):
        raise ValueError("must not be a program: alerts are only sent, nothing is run")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is no URL") from None
    kind, _, scheme = parts.scheme.partition("+")
    place = f"{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    if not host or scheme not in ("", "http", "https"):
        raise ValueError("must be a URL with a host")
    match kind:
        case "http" | "https" if not scheme:
            return _by_http(kind, host, place, query, _login(parts.username, parts.password))
        case "slack" | "discord":
            return Target(kind, _services(kind, scheme, place) + query)
        case "ntfy":
            return _ntfy(scheme, place, _login(parts.username, parts.password))
        case _:
            raise ValueError("must be a kind of target that is known")


def _by_http(scheme: str, host: str, place: str, query: str, login: str) -> Target:
    url = f"{scheme}://{place}{query}"
    if host == "hooks.slack.com":
        return Target("slack", url)
    if host in ("discord.com", "discordapp.com") and "/api/webhooks/" in place:
        return Target("discord", url)
    return Target("json", url, login=login)


def _services(kind: Literal["slack", "discord"], scheme: str, place: str) -> str:
    """The whole URL: `slack+https://host/path` names one, `slack://T/B/KEY` what stands behind the usual."""
    if scheme:
        return f"{scheme}://{place}"
    if place.count("/") != (2 if kind == "slack" else 1):
        raise ValueError("must be slack://T/B/KEY or discord://ID/TOKEN")
    if kind == "slack":
        return f"https://hooks.slack.com/services/{place}"
    return f"https://discord.com/api/webhooks/{place}"


def _ntfy(scheme: str, place: str, login: str) -> Target:
    server, stroke, topic = place.rpartition("/")
    if not stroke:
        server, topic = "ntfy.sh", place
    if not topic or "/" in server:
        raise ValueError("must be ntfy://HOST/TOPIC")
    return Target("ntfy", f"{scheme or 'https'}://{server}", topic, login)


def _login(user: str | None, password: str | None) -> str:
    """The value of `authorization`: a token stands behind the colon, without a name."""
    if password is None:
        return ""
    if not user:
        return f"Bearer {unquote(password)}"
    pair = f"{unquote(user)}:{unquote(password)}"
    return f"Basic {b64encode(pair.encode()).decode()}"


# -- payloads -------------------------------------------------------------------------------------


def request_of(target: Target, message: Message) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of the POST that tells it."""
    headers = [_JSON]
    if target.login:
        headers.append((b"authorization", target.login.encode()))
    return headers, msgspec.json.encode(_payload(target, message))


def _payload(target: Target, message: Message) -> dict[str, object]:
    whole = f"{message.title}\n{message.text}" if len(message.lines) > 1 else message.text
    match target.form:
        case "slack":
            return {"text": whole.translate(_SLACK_ESCAPES)}
        case "discord":
            content = whole if len(whole) <= DISCORD_CHARS else whole[: DISCORD_CHARS - 2] + " …"
            return {"content": content, "allowed_mentions": {"parse": []}}
        case "ntfy":
            return {
                "topic": target.topic,
                "title": message.title,
                "message": message.text,
                "priority": 5 if message.urgent else 2 if message.over else 3,
                "tags": ["white_check_mark" if message.over else "warning"],
            }
        case _:
            return {
                "version": 1,
                "source": "maxpool",
                "title": message.title,
                "text": message.text,
                "alerts": list(message.alerts),
            }


# -- words ----------------------------------------------------------------------------------------


def message_of(changes: Sequence[Change], utc_offset_s: int) -> Message:
    """One message of everything that is to be told; times as the server's people have them."""
    lines = [sentence(change, utc_offset_s) for change in changes]
    alerts = tuple(_plain(change, line) for change, line in zip(changes, lines, strict=True))
    more = len(lines) - MAX_LINES
    if more > 0:
        lines = [*lines[:MAX_LINES], f"and {more} more"]
    over = all(change.told == "resolved" for change in changes)
    urgent = any(change.rule.urgent and change.told != "resolved" for change in changes)
    if len(changes) == 1:
        first = "over" if over else "alert"
        title = f"maxpool {first}: {changes[0].rule.name}"
    else:
        title = f"maxpool: {len(changes)} alerts{' are over' if over else ''}"
    return Message(title, tuple(lines), urgent, over, alerts)


def trial_message() -> Message:
    """What a person sends to see whether it arrives."""
    line = "This is a test of maxpool's alerts; nothing is wrong."
    told: dict[str, object] = {"status": "test", "text": line}
    return Message("maxpool: a test", (line,), urgent=False, over=False, alerts=(told,))


def sentence(change: Change, utc_offset_s: int) -> str:
    """One alert as one sentence."""
    what = _WORDS[change.rule.when](change, utc_offset_s)
    if change.told == "resolved":
        lasted = duration(max(change.at - change.since, 0.0))
        return f"Over after {lasted}: {what}"
    return f"Still so: {what}" if change.told == "reminder" else what


def _plain(change: Change, line: str) -> dict[str, object]:
    seen = change.seen
    return {
        "status": change.told,
        "rule": change.rule.name,
        "when": change.rule.when,
        "account": seen.name or None,
        "about": seen.key[2] or None,
        "value": seen.value,
        "until": seen.until,
        "since": change.since,
        "at": change.at,
        "text": line,
    }


def _clock(at: float, utc_offset_s: int) -> str:
    return datetime.fromtimestamp(at + utc_offset_s, UTC).strftime("%a %H:%M")


def _share(value: float | None) -> str:
    return "some" if value is None else f"{value * 100:.0f} %"


def _until(change: Change, before: str, utc_offset_s: int) -> str:
    until = change.seen.until
    return "" if until is None else f", {before} {_clock(until, utc_offset_s)}"


def _window(change: Change, offset_s: int) -> str:
    seen = change.seen
    resets = _until(change, "resets", offset_s)
    return f"{seen.name}: {_share(seen.value)} of the {seen.key[2]} window is used{resets}."


def _dry(change: Change, offset_s: int) -> str:
    seen = change.seen
    used = f" ({_share(seen.value)} used)" if seen.value is not None else ""
    at = _until(change, "at", offset_s).removeprefix(",")
    return (
        f"{seen.name}: the {seen.key[2]} window runs dry{at} at this pace, before its reset{used}."
    )


def _pool_dry(change: Change, offset_s: int) -> str:
    back = _until(change, "the next one is back", offset_s)
    return f"No account can serve{back}."


def _login_dead(change: Change, _offset_s: int) -> str:
    why = f" ({change.seen.why[:WHY_CHARS]})" if change.seen.why else ""
    return f"{change.seen.name} serves no more until somebody logs in: maxpool login{why}."


def _login_expiring(change: Change, offset_s: int) -> str:
    seen = change.seen
    left = "soon" if seen.until is None else f"in {duration(seen.until - change.at)}"
    at = _until(change, "on", offset_s)
    return f"{seen.name}: its login ends {left}{at}; maxpool login renews it."


def _error_rate(change: Change, _offset_s: int) -> str:
    return f"{_share(change.seen.value)} of the answers of the last 15 minutes were errors."


def _budget(change: Change, offset_s: int) -> str:
    seen = change.seen
    whose = f"{seen.name}: " if seen.name else ""
    until = _until(change, "closed until", offset_s)
    return f"{whose}{_share(seen.value)} of the limit {seen.key[2]} is used{until}."


def _balance(change: Change, _offset_s: int) -> str:
    left = change.seen.value
    return f"{change.seen.name}: {'little' if left is None else f'{left:.2f} USD'} of its balance is left."


def _ledger(change: Change, _offset_s: int) -> str:
    seen = change.seen
    lost = f" {seen.value:.0f} rows are lost." if seen.value else ""
    why = f": {seen.why[:WHY_CHARS].rstrip('.')}" if seen.why else ""
    return f"The ledger has trouble{why}.{lost} Requests are served all the same."


def _internal_errors(change: Change, _offset_s: int) -> str:
    count = change.seen.value or 0.0
    return f"maxpool itself failed {count:.0f} times in 15 minutes; its log says where."


_WORDS: Final = {
    "window": _window,
    "dry": _dry,
    "pool_dry": _pool_dry,
    "login_dead": _login_dead,
    "login_expiring": _login_expiring,
    "error_rate": _error_rate,
    "budget": _budget,
    "balance": _balance,
    "ledger": _ledger,
    "internal_errors": _internal_errors,
}
