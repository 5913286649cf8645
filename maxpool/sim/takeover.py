"""The demo's scenario `takeover`: two small Claude plans, and another vendor for when they are used up.

Values only. The vendor speaks OpenAI's Chat Completions and knows no Claude model; the plans are so
small that the demo's traffic uses them up in the first part of every window.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from maxpool.sim.people import ANY_CLAUDE, demo_settings
from maxpool.sim.plans import SimAccount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.sim.plans import SimSettings

MINUTES: Final = 1.0
"""Length of the 5-hour window: all three phases can be watched while standing."""

VENDOR: Final = "harbour"
CAPACITY_PER_MINUTE: Final = 60_000.0
WEEK: Final = (40.0, 50.0)
"""The week's quota relative to the window's: it is the window that this is about."""

ENTRIES: Final[Mapping[str, Mapping[str, Any]]] = {
    VENDOR: {
        "format": "openai-chat",
        "models": {"claude-*": "big-model"},
        "priority": 1,
    }
}
"""What the config says of these accounts besides name, kind and secret."""

SECTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "pool": {"key_price": "always"},
    "models": {"cross_after": "1s"},
}
"""Nobody waits for a plan as long as the other vendor can serve; a real config may well want that."""


def takeover_world(
    window_minutes: float = MINUTES, speed: float = 1.0
) -> tuple[list[SimAccount], SimSettings]:
    """Its accounts and the settings of their upstream; takes what `people.demo_world` takes."""
    people = [
        SimAccount("juniper", "sk-ant-oat01-demo-juniper", "pro", models=ANY_CLAUDE),
        SimAccount("marlow", "sk-ant-oat01-demo-marlow", "pro", models=ANY_CLAUDE),
        SimAccount(
            VENDOR,
            "demo-harbour-key",
            "provider",
            models=("big-model",),
            capacity_tokens=4_000_000.0 * speed,
            requests_per_minute=1000.0 * speed,
        ),
    ]
    settings = replace(
        demo_settings(window_minutes, speed),
        capacity_5h_tokens=CAPACITY_PER_MINUTE * window_minutes * speed,
        week_ratio=WEEK,
    )
    return people, settings
