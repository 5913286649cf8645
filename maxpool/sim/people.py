"""The invented people of the demo: five accounts, and a world whose quota windows last minutes.

Values only. Capacities fit the traffic that `traffic` makes at speed 1: the small plan is used up
and refilled every few minutes, the large one carries most of the load.
"""

from __future__ import annotations

from maxpool.sim.plans import DEFAULT_MODELS, SimAccount, SimSettings

# A Pro's worth of capacity in price-weighted tokens. 26 of them (20 + 5 + 1) are then about four
# fifths used by the end of a window, whatever its length: first turns cost the same in short ones.
CAPACITY_PER_MINUTE = 24_000.0
CAPACITY_OF_FIRST_TURNS = 36_000.0
WINDOWS_PER_WEEK = 12.0  # 34 in truth; fewer, so that a demo sees a week pass
ANY_CLAUDE = (*DEFAULT_MODELS, "claude-*")


def demo_world(
    window_minutes: float = 3.0, speed: float = 1.0
) -> tuple[list[SimAccount], SimSettings]:
    """Five accounts and the settings of their upstream.

    `window_minutes` is the length of the 5h window; `speed` that of the traffic, so that quotas
    last as long at any speed.
    """
    return list(demo_people(speed)), demo_settings(window_minutes, speed)


def demo_people(speed: float = 1.0) -> tuple[SimAccount, ...]:
    """Three Claude plans in different states of use, one API key, one other provider."""
    return (
        SimAccount(
            "juniper",
            "sk-ant-oat01-demo-juniper",
            "max_20x",
            used_5h=0.12,
            used_7d=0.30,
            models=ANY_CLAUDE,
            email="juniper@example.invalid",
        ),
        SimAccount(
            "marlow",
            "sk-ant-oat01-demo-marlow",
            "max_5x",
            used_5h=0.45,
            used_7d=0.55,
            models=ANY_CLAUDE,
            email="marlow@example.invalid",
        ),
        SimAccount(
            "pocket",
            "sk-ant-oat01-demo-pocket",
            "pro",
            used_5h=0.40,
            used_7d=0.15,
            models=ANY_CLAUDE,
            email="pocket@example.invalid",
        ),
        SimAccount(
            "console",
            "sk-ant-api03-demo-console",
            "api",
            models=ANY_CLAUDE,
            capacity_tokens=400_000.0 * speed,
            requests_per_minute=300.0 * speed,
            output_tokens_per_minute=80_000.0 * speed,
        ),
        SimAccount(
            "harbour",
            "demo-harbour-key",
            "provider",
            models=("big-model", "small-model", "*"),
            capacity_tokens=1_000_000.0 * speed,
            requests_per_minute=300.0 * speed,
        ),
    )


def demo_settings(window_minutes: float = 3.0, speed: float = 1.0) -> SimSettings:
    """A world in which five hours last `window_minutes` and answers are typed visibly."""
    window_s = window_minutes * 60.0
    per_window = CAPACITY_OF_FIRST_TURNS + CAPACITY_PER_MINUTE * window_minutes * speed
    return SimSettings(
        window_5h_s=window_s,
        window_7d_s=window_s * WINDOWS_PER_WEEK,
        capacity_5h_tokens=per_window,
        week_ratio=(5.0, 7.0),
        cache_ttl_5m_s=max(15.0, window_s / 6),
        cache_ttl_1h_s=max(60.0, window_s),
        time_to_first_token_s=0.5 / speed,
        tokens_per_s=90.0 * speed,
        speed_jitter=0.3,
        access_token_life_s=max(600.0, window_s * WINDOWS_PER_WEEK),
    )
