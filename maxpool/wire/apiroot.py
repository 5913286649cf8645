"""Where an API's paths begin below a base URL as people write it, by format. Pure text.

SDKs of the OpenAI format append `/chat/completions` to the whole base URL (which ends with `/v1`, or with
whatever a service calls its root: `/v1beta/openai`); those of Anthropic's append `/v1/messages`. A URL
without any path means the usual root.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

ANTHROPIC: Final = "anthropic"
GENERATE: Final = "generate"

PATHS: Final = {
    "anthropic": "/messages",
    "openai-chat": "/chat/completions",
    "generate": "/generate",
}
"""Where each format takes requests, below its root."""


def api_root(base_url: str, api_format: str) -> str:
    """The root of that format's paths: `.../v1`, `.../api` of a prompt bridge, or as it is written."""
    base = base_url.rstrip("/")
    if api_format == ANTHROPIC:
        return f"{base.removesuffix('/v1')}/v1"
    if api_format == GENERATE:
        return f"{base.removesuffix('/generate').removesuffix('/api')}/api"
    base = base.removesuffix("/chat/completions")
    return base if urlsplit(base).path.strip("/") else f"{base}/v1"


def models_url(base_url: str, api_format: str) -> str:
    """Where the models are listed: a question that costs nothing."""
    root = api_root(base_url, api_format)
    if api_format == GENERATE:
        return f"{root}/tags"
    return f"{root}/models?limit=1000" if api_format == ANTHROPIC else f"{root}/models"


def requests_url(base_url: str, api_format: str) -> str:
    """Where requests are taken."""
    return f"{api_root(base_url, api_format)}{PATHS[api_format]}"
