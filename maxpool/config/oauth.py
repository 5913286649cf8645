"""One `[oauth.NAME]` section: an OAuth 2.0 provider at which people sign in.

No real provider's values are shipped: a client id belongs to whoever registered it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from maxpool.config.fields import BaseUrl, HeaderValue, SecretReference, Section, Word


class OAuthProfileConfig(Section):
    """Where to sign in, where tokens come from, and what else the provider tells about a login.

    `redirect`: `loopback` (the browser comes back to this machine) or `paste` (the provider shows a
    code at `redirect_url`). `token_body`: how the token endpoint wants its fields.
    """

    authorize_url: BaseUrl
    token_url: BaseUrl
    client_id: HeaderValue
    client_secret: SecretReference | None = None
    scopes: Annotated[tuple[Word, ...], Field(strict=False)] = ()
    redirect: Literal["loopback", "paste"] = "loopback"
    redirect_url: BaseUrl | None = None
    token_body: Literal["form", "json"] = "form"  # noqa: S105 - a format
    revoke_url: BaseUrl | None = None
    usage_url: BaseUrl | None = None
    profile_url: BaseUrl | None = None
    usage_shape: Literal["anthropic"] = "anthropic"
    allow_http: bool = False
