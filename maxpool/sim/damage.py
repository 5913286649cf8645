"""What a fault does to a good answer: pure changes of a delivery script.

Whole error answers (`StatusFault`, `QuotaFault`) never get here: no answer is made for those.
"""

from __future__ import annotations

import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, assert_never

from maxpool.sim.delivery import (
    GZIP_WBITS,
    Abort,
    Chunk,
    Hang,
    Head,
    Pause,
    Script,
    without_length,
)
from maxpool.sim.faults import (
    CutFault,
    EndFault,
    ErrorEventFault,
    GarbageFault,
    HangFault,
    HeaderFault,
    QuotaFault,
    SlowFault,
    StatusFault,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.sim.faults import Fault, Place
    from maxpool.sim.prompts import FrameKind

HTML = (
    b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
)
PLACES: Mapping[FrameKind, Place] = MappingProxyType({"delta": "delta", "stop": "block"})
NO_EVENTS = b": nothing to see\n\n"


def damage(fault: Fault, script: Script, error_event: bytes = b"") -> Script:
    """The script as the fault leaves it; `error_event` is the fault's event in the API's words."""
    match fault:
        case CutFault():
            damaged = _cut(fault, script)
        case EndFault():
            damaged = _open_ended(_split(script, fault.after)[0])
        case HangFault():
            damaged = _hang(fault, script)
        case ErrorEventFault():
            damaged = [*_split(script, fault.after)[0], Chunk(error_event)]
        case GarbageFault():
            damaged = _garbage(fault, script)
        case SlowFault():
            damaged = _slow(fault, script)
        case HeaderFault():
            damaged = [_reheaded(fault, s) if isinstance(s, Head) else s for s in script]
        case StatusFault() | QuotaFault():
            damaged = script
        case _:
            assert_never(fault)
    return damaged


def _split(script: Script, after: Place) -> tuple[Script, Script]:
    """The script up to `after` events, and what would have followed."""
    seen = 0
    if after == 0:
        cut = next(i for i, step in enumerate(script) if isinstance(step, Head))
        return script[: cut + 1], script[cut + 1 :]
    for i, step in enumerate(script):
        if not isinstance(step, Chunk):
            continue
        if step.kind is None:  # a plain body has no events: half of it stands for "some"
            half = len(step.data) // 2
            return [*script[:i], Chunk(step.data[:half])], [Chunk(step.data[half:])]
        seen += 1
        if after in (seen, PLACES.get(step.kind)):
            return script[: i + 1], script[i + 1 :]
    return script, []


def _cut(fault: CutFault, script: Script) -> Script:
    if fault.after is None:
        return [Abort(fault.rst)]
    kept, rest = _split(script, fault.after)
    if fault.half_event:
        following = next((step.data for step in rest if isinstance(step, Chunk)), b"")
        kept = [*kept, Chunk(following[: len(following) // 2])]
    return [*kept, Abort(fault.rst)]


def _hang(fault: HangFault, script: Script) -> Script:
    if fault.after is None:
        return [Hang(fault.seconds), *script]
    kept, rest = _split(script, fault.after)
    return [*kept, Hang(fault.seconds), *rest]


def _open_ended(script: Script) -> Script:
    # A length that no longer holds would be an error of the server, not a clean end.
    return [without_length(step) if isinstance(step, Head) else step for step in script]


def _garbage(fault: GarbageFault, script: Script) -> Script:
    head = without_length(next(step for step in script if isinstance(step, Head)))
    match fault.kind:
        case "html":
            return [_typed(head, "text/html; charset=utf-8"), Chunk(HTML)]
        case "empty":
            return [head]
        case "broken_json":
            return [_typed(head, "application/json"), Chunk(b'{"id":"msg_1","type":"mess')]
        case "no_events":
            return [_typed(head, "text/event-stream"), Chunk(NO_EVENTS)]
        case "truncated_gzip":
            return _truncated(head, script)


def _truncated(head: Head, script: Script) -> Script:
    plain = b"".join(step.data for step in script if isinstance(step, Chunk))
    packed = zlib.compress(plain, wbits=GZIP_WBITS)
    encoded = Head(head.status, (*head.headers, ("content-encoding", "gzip")))
    return [encoded, Chunk(packed[: len(packed) // 2])]


def _typed(head: Head, content_type: str) -> Head:
    others = tuple(h for h in head.headers if h[0] != "content-type")
    return Head(head.status, (*others, ("content-type", content_type)))


def _slow(fault: SlowFault, script: Script) -> Script:
    out: Script = []
    for step in script:
        if not isinstance(step, Chunk):
            out.append(step)
            continue
        for i in range(0, len(step.data), fault.size):
            out += [Pause(fault.interval_s), Chunk(step.data[i : i + fault.size], step.kind)]
    return out


def _reheaded(fault: HeaderFault, head: Head) -> Head:
    replaced = {name.lower() for name, _ in fault.headers}
    kept = tuple(h for h in head.headers if h[0].lower() not in replaced)
    return Head(head.status, kept + fault.headers)
