"""The plain status page: the status document as HTML, without a script.

Pure. Everything that came from outside is escaped; bars are SVG so that the strict CSP needs no
inline style.
"""

from __future__ import annotations

from html import escape
from typing import Any

from maxpool.wire.words import duration

REFRESH_S = 2

STYLE = """
:root { color-scheme: light dark; --bg: #f7f7f5; --card: #fff; --ink: #1d1d1f; --dim: #63636b;
  --line: #dededb; --ok: #1f7a4d; --warn: #9a6700; --bad: #b42318; --bar: #2f6fde; --track: #e6e6e3; }
@media (prefers-color-scheme: dark) { :root { --bg: #131316; --card: #1c1c21; --ink: #ececf1;
  --dim: #a0a0ab; --line: #2e2e36; --ok: #4cc38a; --warn: #e5b454; --bad: #ff8a7a; --bar: #6ea0ff;
  --track: #2e2e36; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 15px; font-weight: 600; margin: 0 0 4px; color: var(--dim); }
.verdict { font-size: 24px; font-weight: 650; line-height: 1.25; margin: 0 0 12px; }
.facts { color: var(--dim); margin: 0 0 20px; display: flex; flex-wrap: wrap; gap: 4px 20px; }
.facts b { color: var(--ink); font-weight: 600; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(310px, 1fr)); gap: 12px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.card p:last-child { margin-bottom: 0; }
.card header { display: flex; justify-content: space-between; align-items: baseline; gap: 8px; }
.card h2 { font-size: 16px; margin: 0; overflow-wrap: anywhere; }
.kind, .small { color: var(--dim); font-size: 13px; }
.state { font-size: 13px; font-weight: 600; white-space: nowrap; }
.ready { color: var(--ok); } .busy, .cooling, .draining { color: var(--warn); }
.benched, .locked_out, .closed { color: var(--bad); } .disabled { color: var(--dim); }
.window { display: grid; grid-template-columns: 24px 1fr 46px; gap: 8px; align-items: center;
  margin-top: 10px; font-size: 13px; }
.window svg { width: 100%; height: 10px; display: block; border-radius: 5px; }
.track { fill: var(--track); } .fill { fill: var(--bar); } .hot { fill: var(--warn); }
.full { fill: var(--bad); } .pace { stroke: var(--ink); stroke-width: .7; }
.window .share { text-align: right; font-variant-numeric: tabular-nums; }
.window .note { grid-column: 2 / 4; color: var(--dim); margin-top: -4px; }
.why { margin: 8px 0 0; font-size: 13px; color: var(--bad); overflow-wrap: anywhere; }
.notice { margin: 0 0 12px; padding: 10px 14px; border: 1px solid var(--bad); border-radius: 8px;
  color: var(--bad); font-size: 14px; overflow-wrap: anywhere; }
.legend { margin: 12px 0 0; }
h3 { font-size: 15px; margin: 28px 0 8px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th { color: var(--dim); font-weight: 500; }
td.id { max-width: 260px; overflow: hidden; text-overflow: ellipsis; }
.empty { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px; }
code { font: 13px ui-monospace, monospace; }
"""


LEGEND = (
    '<p class="small legend">The tick marks an even pace through the window; amber is well ahead of '
    "it, red is used up.</p>"
)


def render(doc: dict[str, Any]) -> str:
    """The page for one status document."""
    s = doc["summary"]
    names = {a["id"]: a["name"] for a in doc["accounts"]}
    body = "".join(_card(a, doc["now"]) for a in doc["accounts"])
    section = f'<section class="cards" aria-label="Accounts">{body}</section>{LEGEND}'
    cards = section if body else _first_run()
    told = list(doc["notices"])
    if doc["config"]["error"]:
        told.insert(0, f"The config file is wrong, the old one stays: {doc['config']['error']}")
    notices = "".join(f'<p class="notice">{escape(n)}</p>' for n in told)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH_S}">'
        '<title>maxpool</title><link rel="stylesheet" href="/status.css"></head><body><main>'
        f"<h1>maxpool {escape(doc['version'])}</h1>"
        f'<p class="verdict">{escape(s["verdict"]).replace(" %", "&nbsp;%")}</p>{notices}{_facts(doc)}{cards}'
        f"{_queue(doc)}{_sessions(doc, names)}"
        '<p class="small"><a href="/status?format=json">the same as JSON</a></p>'
        "</main></body></html>"
    )


def _facts(doc: dict[str, Any]) -> str:
    s, harm = doc["summary"], doc["harm"]
    errors = sum(harm["client_errors"].values())
    shown = [
        ("in flight", s["requests_in_flight"]),
        ("queued", s["queued"]),
        ("requests", doc["totals"]["requests"]),
        ("failovers unseen by clients", doc["totals"]["failovers"]),
        ("errors shown to clients", errors),
        ("sessions", doc["sessions"]["bound"]),
        ("moves", harm["moves"]),
        ("up", duration(doc["uptime_s"])),
    ]
    free = s["headroom"]["7d"]
    if free is not None:
        shown.insert(0, ("7-day capacity free", f"{free * 100:.0f}\u00a0%"))
    spans = "".join(f"<span>{escape(k)} <b>{escape(str(v))}</b></span>" for k, v in shown)
    return f'<p class="facts">{spans}</p>'


def _card(a: dict[str, Any], now: float) -> str:
    kind = " · ".join(x for x in (a["kind"].replace("_", " "), a["plan"]) if x)
    hour = a["last_hour"]
    p50 = "" if hour["p50_ms"] is None else f" · median {hour['p50_ms']:.0f} ms"
    stopped = any(w["benched_until"] for w in a["windows"])
    windows = "".join(_window(w, now, burns=not stopped) for w in a["windows"])
    return (
        f'<article class="card"><header><h2>{escape(a["name"])}</h2>'
        f'<span class="state {escape(a["state"])}">{escape(a["state"].replace("_", " "))}</span>'
        f'</header><div class="kind">{escape(kind)}</div>{_why(a, now)}{windows}'
        f'{_buckets(a)}<p class="small">{a["in_flight"]} of {a["slots"]} slots · '
        f"{_count(a['sessions'], 'session')} · {_count(hour['requests'], 'request')} this hour, "
        f"{hour['failed']} failed{p50}</p></article>"
    )


def _buckets(a: dict[str, Any]) -> str:
    """What an API key's rate headers said last: `requests 299 of 300`."""
    told = [
        f"{escape(str(b['name']))} {b['remaining']:,.0f} of {b['limit']:,.0f}"
        for b in a["buckets"]
        if b["remaining"] is not None and b["limit"] is not None
    ]
    return f'<p class="small">rate limits left: {", ".join(told[:3])}</p>' if told else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _why(a: dict[str, Any], now: float) -> str:
    block = a["unavailable"]
    if block is None:
        return ""
    text = block["reason"].replace("_", " ")
    if block["detail"]:
        text = block["detail"]
    if block["until"] is not None:
        text += f", back in {duration(max(block['until'] - now, 0))}"
    return f'<p class="why">{escape(text)}</p>'


def _window(w: dict[str, Any], now: float, *, burns: bool) -> str:
    used = w["utilization"]
    share = "?" if used is None else f"{used * 100:.0f} %"
    width = 0.0 if used is None else min(max(used, 0.0), 1.0) * 100
    heat = (
        "full" if w["benched_until"] else "hot" if (w["pace"] or 0) > 1.2 and width > 50 else "fill"
    )
    notes = []
    if w["reset_at"] is not None:
        notes.append(f"resets in {duration(max(w['reset_at'] - now, 0))}")
    if w["exhausts_at"] is not None and burns:
        notes.append(f"at this pace empty in {duration(max(w['exhausts_at'] - now, 0))}")
    tick = ""
    if used and w["pace"]:
        even = min(width / w["pace"], 100.0)
        tick = f'<line class="pace" x1="{even:.1f}" x2="{even:.1f}" y1="0" y2="10"/>'
    return (
        f'<div class="window"><span>{escape(w["window"])}</span>'
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(w["window"])} {share} used"><rect class="track" width="100" height="10"/>'
        f'<rect class="{heat}" width="{width:.1f}" height="10"/>{tick}</svg>'
        f'<span class="share">{share}</span><span class="note">{escape(", ".join(notes))}</span></div>'
    )


def _queue(doc: dict[str, Any]) -> str:
    if not doc["queue"]:
        return ""
    rows = "".join(
        f"<tr><td>{q['position']}</td><td>{escape(q['class'])}</td>"
        f"<td>{duration(q['waiting_s'])}</td><td>{escape(q['cause'].replace('_', ' '))}</td></tr>"
        for q in doc["queue"]
    )
    head = "<tr><th>#</th><th>model</th><th>waiting</th><th>because of</th></tr>"
    return f'<h3>Waiting</h3><div class="scroll"><table>{head}{rows}</table></div>'


def _sessions(doc: dict[str, Any], names: dict[str, str]) -> str:
    rows = "".join(
        f'<tr><td class="id">{escape(_short(s["session"]))}</td>'
        f"<td>{escape(names.get(s['account'], s['account']))}</td><td>{s['turns']}</td>"
        f"<td>{s['moves']}</td><td>{duration(s['idle_s'])}</td></tr>"
        for s in doc["sessions"]["list"][:20]
    )
    if not rows:
        return ""
    head = "<tr><th>session</th><th>at home on</th><th>turns</th><th>moves</th><th>idle</th></tr>"
    return f'<h3>Sessions</h3><div class="scroll"><table>{head}{rows}</table></div>'


def _short(session: str) -> str:
    """The beginning of a session's id, and of its sub-agent's."""
    own, _, agent = session.partition("/")
    return own[:13] + (f" / {agent[:8]}" if agent else "")


def _first_run() -> str:
    return (
        '<section class="empty"><p><b>No account yet.</b> Sign in with '
        "<code>maxpool login NAME</code>, or add a key to the configuration "
        "(<code>maxpool config show</code> tells where it is):</p>"
        "<pre><code>[[accounts]]\nname = &quot;console&quot;\nkind = &quot;api_key&quot;\n"
        "secret = &quot;env:ANTHROPIC_API_KEY&quot;</code></pre>"
        "<p>The server follows within a second. Then point your client at this address: "
        "<code>maxpool env</code>.</p></section>"
    )
