from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.responses_events import Events, delta_head
from maxpool.wire.sse import Scanner


def told(events: Events) -> list[tuple[str, dict[str, object]]]:
    return [(event.name, json.loads(event.data)) for event in Scanner().feed(events.taken())]


def test_events_are_numbered_from_0_whatever_their_form():
    events = Events()
    events.put("a", {"x": 1})
    events.delta(delta_head("b.delta", {"item_id": "i"}), "text")
    events.put("c", {})
    assert told(events) == [
        ("a", {"type": "a", "sequence_number": 0, "x": 1}),
        ("b.delta", {"type": "b.delta", "item_id": "i", "delta": "text", "sequence_number": 1}),
        ("c", {"type": "c", "sequence_number": 2}),
    ]


@given(st.text(st.characters(codec="utf-8")))
def test_a_delta_holds_any_text(text: str):
    events = Events()
    events.delta(delta_head("d", {}), text)
    assert told(events)[0][1]["delta"] == text


def test_what_was_taken_is_not_told_again():
    events = Events()
    events.put("a", {})
    assert events.taken()
    assert events.taken() == b""
