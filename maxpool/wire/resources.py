"""Batches, files, containers and threads: which a request names, which an answer tells of.

Paths, ids and list pages of the Messages API (SDK 2.12: `resources/files.py`, `messages/batches.py`,
`types/beta/beta_thread_*`). Whose they are is decided elsewhere.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from maxpool.core.owners import MAX_ID_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.wire.meter import Meter

BATCHES: Final = "/v1/messages/batches"
FILES: Final = "/v1/files"
MAX_REFERENCE_BYTES: Final = 1024
"""A `source` or `container` that only names something is shorter; a longer one holds data."""
MAX_NAMED: Final = 1000
"""Most ids taken from one answer or one batch: a page of a list has no more."""

Collection = Literal["batches", "files"]

_ID: Final = rf"[A-Za-z0-9_\-]{{1,{MAX_ID_CHARS}}}"
_PATH: Final = re.compile(
    rf"(?:{BATCHES}(?:/(?P<batch>{_ID})(?:/(?P<of_batch>cancel|results))?)?"
    rf"|{FILES}(?:/(?P<file>{_ID})(?:/(?P<of_file>content))?)?)"
)
_METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "list": ("GET", "POST"),
    "one": ("GET", "DELETE"),
    "cancel": ("POST",),
    "results": ("GET",),
    "content": ("GET",),
}
_RESULTS_URL: Final = re.compile(
    rb'("results_url"\s*:\s*")[^"\\]{0,512}?(' + BATCHES.encode() + rb'/[^"\\]{1,256}")'
)
_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_RAW: Final = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class Place:
    """What a path means: a whole collection, or one resource and what is asked of it."""

    collection: Collection
    resource: str | None = None
    action: Literal["list", "one", "cancel", "results", "content"] = "list"

    @property
    def methods(self) -> tuple[str, ...]:
        """What may be asked with."""
        return _METHODS[self.action]

    @property
    def long(self) -> bool:
        """Whether its answer is a download of any size and form."""
        return self.action in ("results", "content")


def place_of(path: str) -> Place | None:
    """What a path means; None where there is nothing."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    collection: Collection = "batches" if path.startswith(BATCHES) else "files"
    resource = found["batch"] or found["file"]
    action: Any = found["of_batch"] or found["of_file"] or ("one" if resource else "list")
    return Place(collection, resource, action)


# -- what a request names ------------------------------------------------------------------------


class _Source(msgspec.Struct, gc=False):
    file_id: msgspec.Raw = _RAW


class _Container(msgspec.Struct, gc=False):
    id: msgspec.Raw = _RAW


class _Thread(msgspec.Struct, gc=False):
    previous_message_id: msgspec.Raw = _RAW


class _Params(msgspec.Struct, gc=False):
    container: msgspec.Raw = _RAW
    messages: msgspec.Raw = _RAW


class _Asked(msgspec.Struct, gc=False):
    params: _Params = msgspec.field(default_factory=_Params)


class _Batch(msgspec.Struct, gc=False):
    requests: list[_Asked] = msgspec.field(default_factory=list)


_decode_source: Final = msgspec.json.Decoder(_Source).decode
_decode_container: Final = msgspec.json.Decoder(_Container).decode
_decode_thread: Final = msgspec.json.Decoder(_Thread).decode
_decode_batch: Final = msgspec.json.Decoder(_Batch).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_FILE_ID: Final = re.compile(rb'"file_id"\s*:\s*"(' + _ID.encode() + rb')"')


def files_of(file_id: msgspec.Raw, source: msgspec.Raw) -> list[str]:
    """The file that a content block names, itself or as its source."""
    found = _ids(file_id)
    if _short(source, b"{"):
        with suppress(*_JUNK):
            found += _ids(_decode_source(source).file_id)
    return found


def held(container: msgspec.Raw, thread: msgspec.Raw) -> list[str]:
    """The container and the thread that a request goes on with."""
    found = _ids(container)
    with suppress(*_JUNK):
        if _short(container, b"{"):
            found += _ids(_decode_container(container).id)
    with suppress(*_JUNK):
        if _short(thread, b"{"):
            found += _ids(_decode_thread(thread).previous_message_id)
    return found


def named_in_batch(body: bytes) -> tuple[str, ...]:
    """The files and containers that the requests of a new batch name; junk names none."""
    try:
        requests = _decode_batch(body).requests
    except _JUNK:
        return ()
    found: dict[str, None] = {}
    for one in requests:
        found |= dict.fromkeys(held(one.params.container, _RAW))
        # The quotes of a text are escaped: this can only be a key.
        ids = _FILE_ID.findall(memoryview(one.params.messages))
        found |= dict.fromkeys(name.decode() for name in ids)
        if len(found) >= MAX_NAMED:
            break
    return tuple(found)[:MAX_NAMED]


def _short(raw: msgspec.Raw, mark: bytes) -> bool:
    view = memoryview(raw)
    return 0 < view.nbytes <= MAX_REFERENCE_BYTES and view[:1] == mark


def _ids(raw: msgspec.Raw) -> list[str]:
    if not _short(raw, b'"'):
        return []
    try:
        text = _decode_text(raw)
    except _JUNK:
        return []
    return [text] if re.fullmatch(_ID, text) else []


# -- what an answer tells of -----------------------------------------------------------------------


class _Item(msgspec.Struct, gc=False):
    id: object = None
    type: object = None


class _Answer(_Item, gc=False):
    data: list[_Item] | None = None


class _Message(msgspec.Struct, gc=False):
    id: object = None
    container: object = None


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
_decode_message: Final = msgspec.json.Decoder(_Message).decode


def told_of(body: bytes) -> tuple[list[str], list[str]]:
    """Ids that an answer about batches or files shows to exist, and ids it says are deleted."""
    try:
        answer = _decode_answer(body)
    except _JUNK:
        return [], []
    here: list[str] = []
    deleted: list[str] = []
    for item in (answer, *(answer.data or ())[:MAX_NAMED]):
        if isinstance(item.id, str) and isinstance(item.type, str):
            (deleted if item.type.endswith("_deleted") else here).append(item.id)
    return here, deleted


def made_by_message(body: bytes, *, threaded: bool) -> list[str]:
    """The container that a whole Messages answer ran in, and its own id where a thread hangs on it."""
    if not threaded and b'"container"' not in body:
        return []
    try:
        answer = _decode_message(body)
    except _JUNK:
        return []
    container = answer.container.get("id") if isinstance(answer.container, dict) else None
    named = (container, answer.id if threaded else None)
    return [name for name in named if isinstance(name, str)]


def made_by_stream(meter: Meter, *, threaded: bool) -> list[str]:
    """The same of a stream that was relayed."""
    named = (meter.container_id, meter.message_id if threaded else None)
    return [name for name in named if name is not None]


def at_home(body: bytes, origin: str) -> bytes:
    """An answer about batches whose `results_url` leads back here, not past us to the upstream.

    SDKs take that URL as it is, and would send it the key of this server. All other bytes stay.
    """
    here = origin.encode("latin-1", "replace")
    return _RESULTS_URL.sub(lambda found: found[1] + here + found[2], body)


# -- lists -----------------------------------------------------------------------------------------


class Page(msgspec.Struct, gc=False):
    """One page of a list as an upstream gives it: by `after_id`, or (newer) by `page`."""

    data: list[msgspec.Raw] = msgspec.field(default_factory=list)
    has_more: bool | None = None
    first_id: str | None = None
    last_id: str | None = None
    next_page: str | None = None


_decode_page: Final = msgspec.json.Decoder(Page).decode
_decode_item: Final = msgspec.json.Decoder(_Item).decode


def page_of(body: bytes) -> Page | None:
    """The page in a list's answer; None where it is none."""
    try:
        return _decode_page(body)
    except _JUNK:
        return None


def item_id(item: msgspec.Raw) -> str:
    """The id of one entry of a page, "" where it has none."""
    try:
        found = _decode_item(item).id
    except _JUNK:
        return ""
    return found if isinstance(found, str) else ""


@dataclass(slots=True)
class Merged:
    """A page of the pool's own list, made of pages of its accounts."""

    data: list[msgspec.Raw] = field(default_factory=list)
    next_page: str | None = None

    def body(self) -> bytes:
        """The answer, with both ways to go on: each client reads the one it knows."""
        ids = [item_id(item) for item in self.data]
        told = {
            "data": self.data,
            "has_more": self.next_page is not None,
            "first_id": ids[0] if ids else None,
            "last_id": ids[-1] if ids else None,
            "next_page": self.next_page,
        }
        return msgspec.json.encode(told)
