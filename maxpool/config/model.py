"""The config file as one frozen, typed value: every section that exists, with its defaults.

Attributes that hold a time end in `_s` (seconds); the key in the file is the same word without it,
because there the value carries the unit. The model only describes: reading is in `load`, rules over
several keys in `checks`, values for the rest of the program in `derive`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from maxpool.config.account import AccountConfig, ClientKeyConfig
from maxpool.config.alerts import AlertsConfig
from maxpool.config.failures import FailureConfig, FailureName
from maxpool.config.fields import (
    Amount,
    BaseUrl,
    Count,
    Duration,
    DurationOrZero,
    FilePath,
    Host,
    HttpClient,
    KeyPrice,
    Name,
    Network,
    Origin,
    Port,
    Section,
    Share,
    Size,
    Strategy,
    UrlPath,
    Word,
)
from maxpool.config.ledger import LedgerUrl
from maxpool.config.limits import BudgetConfig, LimitConfig
from maxpool.config.names import AliasConfig, ModelProfileConfig, ModelsConfig, SetConfig
from maxpool.config.oauth import OAuthProfileConfig
from maxpool.config.prices import PriceConfig
from maxpool.config.providers import PrewarmConfig, ProviderConfig

MEGABYTE = 1 << 20


class ServerConfig(Section):
    """`[server]`: where maxpool listens, whom it answers, how it streams and stops."""

    host: Host = "127.0.0.1"
    port: Port = 3456
    allowed_hosts: Annotated[tuple[Host, ...], Field(strict=False)] = ()
    allowed_origins: Annotated[tuple[Origin, ...], Field(strict=False)] = ()
    allowed_ips: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    allowed_paths: Annotated[tuple[UrlPath, ...], Field(strict=False)] = ()
    require_key: bool = False
    max_body_bytes: Size = Field(default=32 * MEGABYTE, alias="max_body")
    max_body_decoded_bytes: Size = Field(default=64 * MEGABYTE, alias="max_body_decoded")
    hold_bytes: Size = 64 * 1024
    stall_s: Duration = 60.0
    drain_s: DurationOrZero = 30.0
    handover_s: Duration = 30.0
    tls_cert: FilePath | None = None
    tls_key: FilePath | None = None
    show_account: bool = True
    max_listeners: Count = 10
    max_listeners_per_address: Count = 5
    max_internal_errors: Annotated[int, Field(ge=0, le=1000)] = 10
    internal_errors_within_s: Duration = 300.0


class UpstreamConfig(Section):
    """`[upstream]`: the origin accounts use unless they name their own, and how long to try."""

    base_url: BaseUrl = "https://api.anthropic.com"
    allow_http: bool = False
    ca_file: FilePath | None = None
    client: HttpClient = "builtin"
    connect_timeout_s: Duration = 10.0
    header_timeout_stream_s: Duration = 90.0
    header_timeout_json_s: Duration = 270.0
    header_timeout_count_s: Duration = 8.0
    idle_timeout_s: Duration = 240.0
    keepalive_expiry_s: Duration = 55.0
    trying_limit_s: Duration = 60.0
    network_budget_s: Duration = 30.0
    max_sends: Count = 6
    provider_tries: Count = 3


class PoolConfig(Section):
    """`[pool]`: slots, the price of keys, cost weights, cooldowns. Names are those of `PoolSettings`."""

    slots_per_account: Count = 50
    slots_per_key: Count = 500
    slots_total: Count = 150
    strategy: Strategy = "cost"
    key_price: KeyPrice = "after:20s"
    window_5h_s: Duration = 5 * 3600.0
    window_7d_s: Duration = 7 * 86_400.0
    full_at: Share = 0.999
    emergency_after_s: Duration = 60.0

    quota_steepness: Amount = 1.5
    congestion_weight: Amount = 2.0
    warm_bonus: Amount = 50.0
    warm_share: Share = 0.3
    home_bonus: Amount = 10.0
    parent_bonus: Amount = 1.0
    recovery_weight: Amount = 4.0
    recovery_s: Duration = 300.0
    recovery_step_s: Duration = 1.0
    failure_weight: Amount = 5.0
    outgrow_weight: Amount = 12.0
    opening_bonus: Amount = 2.0
    move_price: Amount = 0.0
    outgrow_window_s: Duration = 600.0
    revisit_bonus: Amount = 1.0
    home_wait_s: DurationOrZero = 0.0
    home_wait_gap: Amount = 8.0
    unknown_utilization: Share = 0.5
    soft_slots: Annotated[float, Field(ge=1)] = 12.0
    soft_slots_min: Annotated[float, Field(ge=1)] = 2.0
    soft_slots_regrow_s: Duration = 600.0

    provisional_s: Duration = 10.0
    provisional_max_s: Duration = 30.0
    retry_after_min_s: Duration = 1.0
    retry_after_max_s: Duration = 86_400.0
    quota_without_reset_s: Duration = 60.0
    breaker_threshold: Count = 3
    breaker_initial_s: Duration = 30.0
    breaker_max_s: Duration = 900.0
    forbidden_initial_s: Duration = 300.0
    forbidden_max_s: Duration = 3600.0
    spend_initial_s: Duration = 3600.0
    spend_max_s: Duration = 86_400.0
    billing_s: Duration = 900.0
    model_missing_s: Duration = 3600.0
    network_s: Duration = 5.0
    provider_quota_s: Duration = 30.0
    provider_forbidden_s: Duration = 1800.0
    provider_breaker_max_s: Duration = 300.0

    incident_window_s: Duration = 30.0
    throttle_default_s: Duration = 30.0
    throttle_probe_s: Duration = 15.0
    throttle_reopen_s: Annotated[
        tuple[Duration, ...], Field(strict=False, min_length=1, max_length=16)
    ] = (5.0, 10.0, 20.0)
    throttle_ramp_s: DurationOrZero = 5.0
    throttle_ramp_gap_s: DurationOrZero = 0.25

    max_bindings: Count = 10_000
    binding_age_s: Duration = 7 * 86_400.0
    max_owned: Count = 10_000
    owned_age_s: Duration = 90 * 86_400.0
    kept_decisions: Count = 1000

    client_login: Literal["off", "first", "last"] = "off"
    spill: Annotated[
        tuple[Literal["api_key", "provider", "oauth", "subscription"], ...], Field(strict=False)
    ] = ("api_key", "provider")
    max_client_logins: Count = 64


class QueueConfig(Section):
    """`[queue]`: how many may wait, how long, and what they hear meanwhile."""

    limit: Annotated[int, Field(ge=0)] = 64
    max_bytes: Size = 256 * MEGABYTE
    max_wait_s: DurationOrZero = 900.0
    max_wait_allowed_s: DurationOrZero = 6 * 3600.0
    max_wait_json_s: DurationOrZero = 280.0
    json_keepalive: bool = False
    heartbeat_s: Duration = 10.0
    commit_after_s: Duration = 20.0
    aging_s: Duration = 15.0


class SecretsConfig(Section):
    """`[secrets]`: where logins are kept, and how long reading one may take."""

    store: Literal["auto", "keyring", "file"] = "auto"
    timeout_s: Duration = 5.0
    command_timeout_s: Duration = 10.0


class ProbesConfig(Section):
    """`[probes]`: asking for an account's usage where no answer of its own tells."""

    enabled: bool = True
    gap_s: Duration = 600.0
    gap_max_s: Duration = 3600.0
    lane_s: Duration = 30.0
    timeout_s: Duration = 15.0


class RefreshConfig(Section):
    """`[refresh]`: when logins get new tokens, and how long that may take."""

    ahead_s: Duration = 600.0
    margin_s: Duration = 60.0
    connect_timeout_s: Duration = 5.0
    read_timeout_s: Duration = 30.0
    grant_life_s: Duration = 28 * 86_400.0


class StorageConfig(Section):
    """`[storage]`: where state rests between runs."""

    folder: FilePath | None = None
    save_gap_s: DurationOrZero = 1.0


class LedgerConfig(Section):
    """`[ledger]`: what is remembered of requests, readings and events, where and for how long."""

    enabled: bool = True
    url: LedgerUrl = ""
    keep_requests_s: Duration = 90 * 86_400.0
    keep_readings_s: Duration = 35 * 86_400.0
    queue_rows: Count = 20_000
    flush_s: Duration = 0.5


class LoggingConfig(Section):
    """`[logging]`: how much is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    file_max_bytes: Size = Field(default=5 * MEGABYTE, alias="file_max")
    files_kept: Count = 5


class Config(Section):
    """The whole config file."""

    version: Literal[1] = 1
    server: ServerConfig = ServerConfig()
    upstream: UpstreamConfig = UpstreamConfig()
    pool: PoolConfig = PoolConfig()
    queue: QueueConfig = QueueConfig()
    secrets: SecretsConfig = SecretsConfig()
    probes: ProbesConfig = ProbesConfig()
    prewarm: PrewarmConfig = PrewarmConfig()
    models: ModelsConfig = ModelsConfig()
    refresh: RefreshConfig = RefreshConfig()
    storage: StorageConfig = StorageConfig()
    ledger: LedgerConfig = LedgerConfig()
    logging: LoggingConfig = LoggingConfig()
    alerts: AlertsConfig = AlertsConfig()
    oauth: Mapping[Name, OAuthProfileConfig] = {}
    providers: Mapping[Name, ProviderConfig] = {}
    failures: Mapping[FailureName, FailureConfig] = {}
    budget: BudgetConfig = BudgetConfig()
    prices: Mapping[Word, PriceConfig] = {}
    limits: Annotated[tuple[LimitConfig, ...], Field(strict=False)] = ()
    aliases: Mapping[Word, AliasConfig] = {}
    sets: Mapping[Name, SetConfig] = {}
    profiles: Mapping[Word, ModelProfileConfig] = {}
    client_keys: Annotated[tuple[ClientKeyConfig, ...], Field(strict=False)] = ()
    accounts: Annotated[tuple[AccountConfig, ...], Field(strict=False)] = ()
