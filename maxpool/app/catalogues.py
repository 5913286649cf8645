"""The providers' catalogues of a running proxy: where each comes from, and reading it there.

Composition only; the rules are in `service/catalogues` and `wire/catalogue`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from maxpool.errors import MaxpoolError
from maxpool.service.catalogues import Catalogues, download
from maxpool.wire.catalogue import MAX_BYTES

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool
    from maxpool.config.model import Config
    from maxpool.ports import Upstream

CATALOGUE_TICK_S = 10.0
"""How often it is looked whether one is due; each is read hourly."""


def catalogues_of(built: Maxpool) -> Catalogues:
    """Catalogues by the config as it is now; a new one is taken over by the pool at once."""
    upstream = built.upstream
    found = Catalogues(
        clock=built.clock,
        fetch=lambda source: fetched(upstream, source),
        changed=built.settle,
    )
    found.follow(sources_of(built.config))
    return found


def sources_of(config: Config) -> dict[str, str]:
    """Where each provider's catalogue is, by the provider's name."""
    return {n: one.catalogue for n, one in config.providers.items() if one.catalogue is not None}


async def fetched(upstream: Upstream, source: str) -> bytes:
    """The bytes of a `file:` or a URL; raises MaxpoolError."""
    if not source.startswith("file:"):
        return await download(upstream, source)
    return await asyncio.to_thread(_file, Path(source.removeprefix("file:")))


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MaxpoolError(f"cannot read {path}: {error.strerror}") from error
