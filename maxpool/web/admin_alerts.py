"""`/admin/alerts`: what holds now, where messages go, a test message, and silence for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from maxpool.errors import RequestError
from maxpool.service.delivery import NotDelivered
from maxpool.web.admin_body import json_body, wrong
from maxpool.web.status import Json
from maxpool.wire.alerts import trial_message

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.service.alerting import Alerting
    from maxpool.web.admin_body import Handler

LONGEST_S: Final = 30 * 86_400.0
"""Of a silence: whoever wants none at all takes the rule away."""


@dataclass(slots=True)
class AlertPages:
    """Alerts over one server."""

    alerting: Alerting

    def endpoints(self) -> dict[str, dict[str, Handler]]:
        """Path -> method -> handler."""
        return {
            "/admin/alerts": {"GET": self.alerts},
            "/admin/alerts/test": {"POST": self.test},
            "/admin/alerts/silence": {"POST": self.silence},
        }

    async def alerts(self, _request: Request) -> Response:
        """Everything about alerts; no URL of a target."""
        return Json(self._document())

    async def test(self, request: Request) -> Response:
        """Send a test message to a target, and say how that went."""
        body = await json_body(request)
        name = body.get("target")
        if body.keys() != {"target"} or not isinstance(name, str):
            raise wrong('Say where to: {"target": "NAME"}.')
        try:
            await self.alerting.delivery.once(name, trial_message())
        except NotDelivered as error:
            status = 404 if name not in self.alerting.delivery.boxes else 502
            raise RequestError(status, "api_error", f"Nothing was told: {error.message}.") from None
        return Json({"target": name, "arrived": True})

    async def silence(self, request: Request) -> Response:
        """Tell nothing of some rules and accounts for so long; 0 ends that."""
        body = await json_body(request)
        rule, account = body.get("rule", "*"), body.get("account", "*")
        for_s = body.get("for_s")
        words = isinstance(rule, str) and isinstance(account, str)
        number = isinstance(for_s, int | float) and not isinstance(for_s, bool)
        if body.keys() - {"rule", "account", "for_s"} or not words or not number:
            raise wrong('Say how long, and of what: {"for_s": 3600, "rule": "*", "account": "*"}.')
        assert isinstance(for_s, int | float)
        if not 0.0 <= for_s <= LONGEST_S:
            raise wrong(f"for_s must lie between 0 and {LONGEST_S:.0f}.")
        alerting = self.alerting
        alerting.alerts.silence(rule[:200], account[:200], alerting.clock.now() + for_s)
        await alerting.keep()
        return Json(self._document())

    def _document(self) -> dict[str, Any]:
        alerting = self.alerting
        now = alerting.clock.now()
        return {
            "alerts": alerting.listed(),
            "rules": [
                {"name": rule.name, "when": rule.when, "account": rule.account}
                for rule in alerting.settings.rules
            ],
            "targets": alerting.delivery.report(),
            "silences": [
                {"rule": s.rule, "account": s.account, "until": s.until}
                for s in alerting.alerts.silences
                if s.until > now
            ],
        }
