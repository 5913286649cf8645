"""The dashboard's own files: one page, its modules, styles and chart library, as they are in the package.

They hold nothing of the pool, so they are the same for everybody. Their address holds a digest of them
all: a browser may keep them for good, and a new version is a new address. Decides nothing.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

    from maxpool.web.guard import Scope

UI: Final = "/ui/"
PAGE: Final = "index.html"
MEDIA: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
FOR_GOOD: Final = "public, max-age=31536000, immutable"

PAGE_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class File:
    """One file, as it is and packed."""

    body: bytes
    packed: bytes
    media: str


class Dashboard:
    """`/` for browsers, and `/ui/...`."""

    @cached_property
    def files(self) -> Mapping[str, File]:
        """Every file by its name under `/ui/DIGEST/`; read at the first request."""
        found = dict(_read(files("maxpool.web") / "ui", ""))
        return {name: _file(name, body) for name, body in sorted(found.items())}

    @cached_property
    def digest(self) -> str:
        """Of all files together."""
        text = sha256()
        for name, file in self.files.items():
            text.update(name.encode() + b"\0" + file.body)
        return text.hexdigest()[:16]

    @cached_property
    def index(self) -> File:
        """The page, with the address of the others."""
        page = self.files[PAGE].body.replace(b"{ui}", f"{UI}{self.digest}".encode())
        return _file(PAGE, page)

    async def page(self, request: Request) -> Response:
        """The page; what it shows it asks for itself."""
        return _answer(self.index, request, PAGE_HEADERS)

    async def file(self, request: Request) -> Response:
        """One of its files: kept for good under the present digest, else asked for anew each time."""
        digest, _, name = request.path_params["path"].partition("/")
        file = self.files.get(name)
        if file is None or name == PAGE:
            raise HTTPException(404)
        keep = FOR_GOOD if digest == self.digest else "no-cache"
        headers = {"cache-control": keep, "x-content-type-options": "nosniff"}
        return _answer(file, request, headers)


def is_asset(scope: Scope) -> bool:
    """Whether a request is for one of the files, or for the page as a browser asks for it."""
    if scope["method"] not in ("GET", "HEAD"):
        return False
    return scope["path"].startswith(UI) or wants_page(scope)


def wants_page(scope: Scope) -> bool:
    """Whether a browser asks for the dashboard: `GET /` without a query, HTML being welcome."""
    if scope["path"] != "/" or scope["method"] != "GET" or scope["query_string"]:
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def _answer(file: File, request: Request, headers: Mapping[str, str]) -> Response:
    packs = "gzip" in request.headers.get("accept-encoding", "")
    body = file.packed if packs else file.body
    more = {"vary": "accept-encoding", **({"content-encoding": "gzip"} if packs else {})}
    return Response(body, headers={**headers, **more, "content-type": file.media})


def _file(name: str, body: bytes) -> File:
    return File(body, gzip.compress(body, 9, mtime=0), MEDIA[name.rpartition(".")[2]])


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in MEDIA:
            yield f"{prefix}{entry.name}", entry.read_bytes()
