"""The demo's proxy: a config for the invented accounts, and where their invented secrets come from."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from maxpool.config.model import Config
from maxpool.config.units import format_duration
from maxpool.errors import SecretError
from maxpool.ports import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maxpool.sim.plans import SimAccount, SimSettings

SIGN_IN_MARK = "# Written by `maxpool demo --sign-in`."
"""How such a file begins: a later demo may replace it, and nothing else."""

NOTHING: Mapping[str, Any] = MappingProxyType({})
KINDS = {"api": "api_key", "provider": "provider"}


class InventedSecrets:
    """`ports.SecretSource` of the invented accounts: `env:NAME` is the secret of the one so named."""

    def __init__(self, people: Iterable[SimAccount]) -> None:
        self._secrets = {f"env:{person.name}": person.secret for person in people}

    def resolve(self, reference: str) -> Secret:
        """The secret; raises `SecretError` for a name nobody invented."""
        found = self._secrets.get(reference)
        if found is None:
            raise SecretError(
                f"nobody here is called {reference}", "Name one of the demo's accounts."
            )
        return Secret(found)


def demo_config(
    upstream_url: str,
    people: Iterable[SimAccount],
    settings: SimSettings,
    port: int,
    *,
    entries: Mapping[str, Mapping[str, Any]] = NOTHING,
    sections: Mapping[str, Mapping[str, Any]] = NOTHING,
) -> Config:
    """The config of a proxy for invented accounts; their secrets are invented too.

    `entries`: what it says besides of the account of that name; `sections`: of everything else.
    """
    accounts = [
        {
            "name": person.name,
            "kind": KINDS.get(person.plan, "subscription"),
            "plan": None if person.plan in KINDS else person.plan,
            "secret": f"env:{person.name}",
            "serves": ["*"],  # only the simulated upstream's accounts may
            **entries.get(person.name, {}),
        }
        for person in people
    ]
    return Config.model_validate(
        {
            "server": {"port": port or 3456},
            "upstream": {"base_url": upstream_url},
            "pool": {
                "window_5h": settings.window_5h_s,
                "window_7d": settings.window_7d_s,
                "key_price": "after:5s",
                **sections.get("pool", {}),
            },
            **{name: keys for name, keys in sections.items() if name != "pool"},
            "accounts": accounts,
        }
    )


def sign_in_config(upstream_url: str, settings: SimSettings) -> str:
    """The text of a config without accounts, to try logins at the simulated upstream.

    Its state stays beside it; it holds as long as the upstream runs.
    """
    return f"""\
{SIGN_IN_MARK} It holds while that demo runs.

[server]
port = 0

[upstream]
base_url = "{upstream_url}"

[pool]
window_5h = "{format_duration(settings.window_5h_s)}"
window_7d = "{format_duration(settings.window_7d_s)}"

[storage]
folder = "demo-state"

[oauth.demo]
authorize_url = "{upstream_url}/oauth/authorize"
token_url = "{upstream_url}/v1/oauth/token"
revoke_url = "{upstream_url}/v1/oauth/token/revoke"
profile_url = "{upstream_url}/api/oauth/profile"
usage_url = "{upstream_url}/api/oauth/usage"
client_id = "{settings.oauth_client_id}"
token_body = "json"
"""
