"""`POST /admin/accounts/{account}/topup`: money that its owner added to a prepaid account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from maxpool.errors import RequestError
from maxpool.web.admin_body import json_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.service.operate import Operator
    from maxpool.web.admin_body import Handler

MOST_USD: Final = 1e6
"""More than that at once is a slip of the decimal point."""


def handler(operator: Operator, shown: Callable[[str], Response]) -> Handler:
    """The endpoint; `shown` answers with the account."""

    async def topup(request: Request) -> Response:
        account_id = operator.account_id(request.path_params["account"])
        record(operator, account_id, (await json_body(request)).get("usd"))
        return shown(account_id)

    return topup


def record(operator: Operator, account_id: str, usd: object) -> None:
    """Record it; raises `RequestError` where it is no amount, and has changed nothing."""
    number = not isinstance(usd, bool) and isinstance(usd, int | float)
    if not isinstance(usd, int | float) or not number or not 0 < usd <= MOST_USD:
        message = f'Say how much: {{"usd": 20}}, more than 0 and at most {MOST_USD:,.0f}.'
        raise RequestError(400, "invalid_request_error", message)
    if operator.leaving:
        message = "Another process is taking over. Ask again."
        raise RequestError(409, "invalid_request_error", message)
    operator.pool.top_up(account_id, float(usd), operator.clock.now())
    operator.waiting.wake()
