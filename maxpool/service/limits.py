"""`Limits`: every limit of the data path, with unit and reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.config.model import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds, bytes and counts; the config file's `[server]`, `[upstream]` and `[queue]`."""

    max_sends: int = 6  # per request, over all accounts
    trying_limit_s: float = 60.0  # of trying; waiting in the queue is not counted
    network_budget_s: float = 30.0  # others are tried for this long while the network fails
    connect_timeout_s: float = 10.0
    header_timeout_stream_s: float = 90.0
    header_timeout_json_s: float = 270.0
    header_timeout_count_s: float = 8.0
    idle_timeout_s: float = 240.0  # any byte counts as life
    hold_bytes: int = 64 * 1024  # of a stream, before content
    hold_json_bytes: int = 8 << 20  # a longer JSON answer is passed on unchecked
    error_body_bytes: int = 1 << 20  # of an upstream's error answer
    error_body_s: float = 3.0  # to read it; status and headers are enough to go on
    max_decoded_bytes: int = 64 << 20  # of a request body that must be edited
    commit_after_s: float = 20.0  # then headers go out and pings follow
    heartbeat_s: float = 10.0  # clients give up after 300 s of silence
    stall_s: float = 60.0  # a client that takes nothing for this long is dropped
    max_wait_s: float = 900.0
    max_wait_allowed_s: float = 6 * 3600.0
    max_wait_json_s: float = 280.0  # the client's own limit without headers is 300 s
    json_keepalive: bool = False  # white space for these: an error is then a closed connection
    queue_bytes: int = 256 << 20  # bodies of all waiters together
    retry_same_s: tuple[float, float] = (0.3, 1.0)  # before the one retry after an overload
    backoff_s: tuple[float, float] = (0.1, 1.0)  # between accounts after a server failure
    provider_backoff_s: tuple[float, float] = (0.25, 3.0)  # between tries at one provider
    show_account: bool = True


def limits_of(config: Config) -> Limits:
    """The data path's limits as the config says them."""
    server, upstream, queue = config.server, config.upstream, config.queue
    return Limits(
        max_sends=upstream.max_sends,
        trying_limit_s=upstream.trying_limit_s,
        network_budget_s=upstream.network_budget_s,
        connect_timeout_s=upstream.connect_timeout_s,
        header_timeout_stream_s=upstream.header_timeout_stream_s,
        header_timeout_json_s=upstream.header_timeout_json_s,
        header_timeout_count_s=upstream.header_timeout_count_s,
        idle_timeout_s=upstream.idle_timeout_s,
        hold_bytes=server.hold_bytes,
        max_decoded_bytes=server.max_body_decoded_bytes,
        commit_after_s=queue.commit_after_s,
        heartbeat_s=queue.heartbeat_s,
        stall_s=server.stall_s,
        max_wait_s=queue.max_wait_s,
        max_wait_allowed_s=queue.max_wait_allowed_s,
        max_wait_json_s=queue.max_wait_json_s,
        json_keepalive=queue.json_keepalive,
        queue_bytes=queue.max_bytes,
        show_account=server.show_account,
    )
