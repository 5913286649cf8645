"""The ledger without a server: the same answers as the admin API gives, read from the database itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from maxpool.adapters.clock import SystemClock
from maxpool.adapters.ledger_views import LedgerViews
from maxpool.adapters.process import local_utc_offset_s
from maxpool.app.ledger import url_of
from maxpool.config.load import load
from maxpool.core.records import LedgerQuery, RequestFilter
from maxpool.errors import StateError
from maxpool.web.admin_ledger import requests_told, usage_told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def usage(config_file: Path | None, *, account: str | None = None, **asked: Any) -> dict[str, Any]:  # noqa: ANN401
    """What `GET /admin/usage` says; `asked`: fields of `LedgerQuery`, `account` by id or name."""
    with _opened(config_file) as views:
        query = LedgerQuery(
            **asked, account=_account_id(views, account), offset_s=local_utc_offset_s
        )
        return usage_told(views, query, SystemClock().now())


def requests(
    config_file: Path | None,
    *,
    account: str | None = None,
    **asked: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """What `GET /admin/requests` says; `asked`: fields of `RequestFilter`."""
    with _opened(config_file) as views:
        wanted = RequestFilter(**asked, account=_account_id(views, account))
        return requests_told(views, wanted, SystemClock().now())


@contextmanager
def _opened(config_file: Path | None) -> Iterator[LedgerViews]:
    loaded = load(config_file)
    url = url_of(loaded.config, loaded.path)
    if not url:
        raise StateError("nothing is kept of requests", "Set [ledger] enabled = true")
    views = LedgerViews(url)
    try:
        yield views
    finally:
        views.close()


def _account_id(views: LedgerViews, wanted: str | None) -> str | None:
    """The id of the account that was last called so."""
    named = [a for a, name in views.names().items() if name == wanted] if wanted else []
    return named[-1] if named else wanted
