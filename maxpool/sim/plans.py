"""What the simulated world is made of: invented accounts, their plans, and every setting.

Values only. How quota is spent lives in `quota`, who may come in in `accounts`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

Plan = Literal["max_20x", "max_5x", "pro", "api", "provider"]

OAUTH_PREFIX = "sk-ant-oat01-"
OAUTH_BETA = "oauth-2025-04-20"
PROFILE_SCOPE = "user:profile"
INFERENCE_SCOPE = "user:inference"
FULL_SCOPES = (
    PROFILE_SCOPE,
    INFERENCE_SCOPE,
    "user:sessions:claude_code",
    "user:mcp_servers",
    "user:file_upload",
)

DEFAULT_MODELS = (
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-fable-5-1",
    "claude-opus-4-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTraits:
    """What a plan implies: capacity relative to Pro, concurrency (None = unlimited), its names."""

    weight: float
    concurrency: int | None
    organization_type: str | None
    rate_limit_tier: str | None


def traits_of(plan: Plan) -> PlanTraits:
    """Weights 20:5:1 and hidden concurrency limits 24/12/6, as the simulation model has them."""
    match plan:
        case "max_20x":
            return PlanTraits(
                weight=20.0,
                concurrency=24,
                organization_type="claude_max",
                rate_limit_tier="default_claude_max_20x",
            )
        case "max_5x":
            return PlanTraits(
                weight=5.0,
                concurrency=12,
                organization_type="claude_max",
                rate_limit_tier="default_claude_max_5x",
            )
        case "pro":
            return PlanTraits(
                weight=1.0,
                concurrency=6,
                organization_type="claude_pro",
                rate_limit_tier="default_claude_ai",
            )
        case "api" | "provider":
            return PlanTraits(
                weight=1.0, concurrency=None, organization_type=None, rate_limit_tier=None
            )


@dataclass(frozen=True, slots=True)
class SimAccount:
    """One invented account of the simulated upstream.

    `organization`: accounts that name the same one share quota and prompt cache; None = its own.
    `person`: accounts that name the same one are logins of one person; None = its own.
    `used_5h`, `used_7d`: shares already spent at the start. `phase_7d_s`: weekly resets fall on
    times t with t % window_7d_s == phase, None = drawn. `models`: names or shell patterns.
    `concurrency`: None = the plan's. `capacity_tokens`: a plan's 5h capacity in price-weighted
    tokens, a key's or provider's input tokens per minute; None = drawn around the plan's.
    `scopes`: what the account's own secret may do (a setup token has `user:inference` only).
    """

    name: str
    secret: str
    plan: Plan
    organization: str | None = None
    used_5h: float = 0.0
    used_7d: float = 0.0
    phase_7d_s: float | None = None
    models: tuple[str, ...] = DEFAULT_MODELS
    concurrency: int | None = None
    capacity_tokens: float | None = None
    capacity_7d_tokens: float | None = None
    requests_per_minute: float | None = None
    output_tokens_per_minute: float | None = None
    scopes: tuple[str, ...] = FULL_SCOPES
    email: str = ""
    person: str | None = None

    @property
    def of_plan(self) -> bool:
        """Whether quota windows (not rate buckets) limit this account."""
        return self.plan in ("max_20x", "max_5x", "pro")

    @property
    def organization_id(self) -> str:
        """The value of `anthropic-organization-id`: as given, else invented from the name."""
        return self.organization or str(uuid.uuid5(uuid.NAMESPACE_DNS, f"org.{self.name}.invalid"))

    @property
    def person_id(self) -> str:
        """The invented account uuid."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"person.{self.person or self.name}.invalid"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSettings:
    """Every setting of the simulated upstream; seconds, tokens and shares as the names say."""

    # Quota windows
    window_5h_s: float = 18_000.0
    window_7d_s: float = 604_800.0
    capacity_5h_tokens: float = 1_500_000.0  # of Pro, price-weighted: about a hundred warm turns
    capacity_scale: float = 1.0  # the demo shrinks quotas together with its windows
    capacity_noise: float = 0.12  # sigma of the lognormal: no two plans measure alike
    week_ratio: tuple[float, float] = (8.0, 12.0)  # C7/C5, evenly drawn
    warn_at: float = 0.8  # `allowed_warning` from here up
    family_window: str | None = None  # model family with a weekly bucket of its own
    family_window_name: str = "7d_oi"  # its name in headers
    family_window_share: float = 0.5  # of the 7d capacity

    # Rate limits of keys and providers, per minute; wide enough for a demo, real in their refill
    requests_per_minute: float = 1000.0
    input_tokens_per_minute: float = 2_000_000.0
    output_tokens_per_minute: float = 400_000.0
    burst_retry_after_s: int = 2  # what a concurrency 429 says

    # Speed; 0 = as fast as possible, so that tests and benchmarks wait for nothing
    time_to_first_token_s: float = 0.0
    tokens_per_s: float = 0.0
    speed_jitter: float = 0.0  # share by which one answer's speed may differ

    # Prompt cache
    cache_ttl_5m_s: float = 300.0
    cache_ttl_1h_s: float = 3600.0
    cache_min_tokens: int = 1024  # shorter prefixes are not cached (vendor's prompt-caching page)
    cache_lookback_blocks: int = 20  # how far before a breakpoint an older entry is found (same)
    cache_entries: int = 4096  # per organisation; the least recently used goes first

    # Answers
    answer_tokens: tuple[int, int] = (40, 400)  # evenly drawn on a logarithmic scale
    thinking_tokens: tuple[int, int] = (20, 120)
    chunk_tokens: int = 8  # tokens per delta event
    refusal_marker: str = "please refuse this"
    tool_marker: str = "use a tool"
    all_tools_marker: str = "use all tools"  # at once, each of them
    check_signatures: bool = True
    gzip: bool = False  # compress where the client accepts it
    body_limit_bytes: int = 32 * 1024 * 1024

    # Batches
    batch_takes_s: float = 0.0  # from its making to its end

    # OAuth
    oauth_client_id: str = "maxpool-demo"
    access_token_life_s: float = 28_800.0
    grant_life_s: float = 28 * 86_400.0  # a login's refresh tokens die then, however often rotated
    code_life_s: float = 600.0
    token_forms: bool = False  # the real endpoint takes JSON bodies only
    refresh_drops_profile: bool = False  # a refresh without `scope` loses user:profile
    usage_gap_s: float = 0.0  # the usage endpoint answers 429 when polled sooner

    # What is remembered for assertions and pages
    keep_requests: int = 1000
    keep_request_bytes: int = 64 * 1024 * 1024
