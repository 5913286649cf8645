"""`[prewarm]`, and the `[providers.NAME]` sections: what several accounts of one provider share.

An account with `provider = "NAME"` (or of kind "provider" and that very name) has each key that it does
not say itself from its section. That is done with the text as it is read, so that everything else, the
checks included, sees whole accounts.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo

from maxpool.config.account import Needs
from maxpool.config.fields import (
    AuthHeader,
    BaseUrl,
    Count,
    Duration,
    HeaderText,
    HeaderValue,
    ModelName,
    Section,
    Word,
    beside,
    wrong,
)
from maxpool.config.limits import PerMinute
from maxpool.config.names import Tier

SHARED: Final = (
    "format",
    "base_url",
    "allow_http",
    "auth_header",
    "headers",
    "models",
    "context",
    "tiers",
    "lacks",
    "can",
    "body",
    "slots",
    "rpm",
    "tpm",
)
"""Keys of a section that an account takes over as they stand."""


def _catalogue(text: str, info: ValidationInfo) -> str:
    """`file:PATH` (relative to the config file) or a URL."""
    if text.startswith("file:") and text != "file:":
        return f"file:{beside(text.removeprefix('file:'), info.context)}"
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise wrong("must be a URL, or file: and a path", "file:models.json")
    return text


Catalogue = Annotated[str, AfterValidator(_catalogue)]
ProviderFormat = Literal["anthropic", "openai-chat", "generate"]


class PrewarmConfig(Section):
    """`[prewarm]`: keeping connections to what is used most open, and knowing that it answers."""

    mode: Literal["off", "eco", "balanced", "aggressive"] = "eco"
    focus: Annotated[tuple[ModelName, ...], Field(strict=False, max_length=5)] = ()
    quiet_after_s: Duration = 3600.0
    timeout_s: Duration = 10.0


class ProviderConfig(Section):
    """`[providers.NAME]`: defaults of its accounts, and where its models are described.

    `base_urls`: one address per format; an account takes that of its own format, else the first.
    """

    format: ProviderFormat | None = None
    base_url: BaseUrl | None = None
    base_urls: Mapping[ProviderFormat, BaseUrl] = {}
    allow_http: bool | None = None
    auth_header: AuthHeader | None = None
    headers: Mapping[HeaderText, HeaderValue] | None = None
    models: Mapping[Word, Word] | None = None
    context: Mapping[Word, Count] | None = None
    tiers: Mapping[Tier, ModelName] | None = None
    lacks: Needs | None = None
    can: Needs | None = None
    body: Mapping[Word, bool | int | float | str] | None = None
    slots: Annotated[int, Field(ge=1)] | None = None
    rpm: PerMinute | None = None
    tpm: PerMinute | None = None
    catalogue: Catalogue | None = None

    def defaults(self) -> dict[str, Any]:
        """What an account takes over, as the file would say it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def inherited(entry: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    """An account's keys as written, and those of its provider's section that it does not say.

    Whatever has not the form it should have is left for the checks to name.
    """
    own = dict(entry)
    name = entry.get("provider", entry.get("name") if entry.get("kind") == "provider" else None)
    section = sections.get(name) if isinstance(name, str) else None
    if not isinstance(section, Mapping):
        return own
    own.setdefault("kind", "provider")
    shared = {key: section[key] for key in SHARED if key in section}
    urls = section.get("base_urls")
    if isinstance(urls, Mapping) and urls and "base_url" not in own:
        spoken = own.get("format", shared.get("format"))
        spoken = spoken if spoken in urls else next(iter(urls))
        own.setdefault("format", spoken)
        shared["base_url"] = urls[spoken]
    return {**shared, **own}


def with_shared(data: dict[str, Any]) -> dict[str, Any]:
    """The whole file's data, with every account as `inherited` has it."""
    sections, entries = data.get("providers"), data.get("accounts")
    if not isinstance(sections, Mapping) or not isinstance(entries, list):
        return data
    whole = [inherited(e, sections) if isinstance(e, Mapping) else e for e in entries]
    return {**data, "accounts": whole}
