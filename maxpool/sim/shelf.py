"""What accounts of the simulated upstream hold: batches, files, containers and threads.

Each lives in the organisation whose account made it, and exists for no other. Knows no HTTP: the
endpoints are in `sim/resources`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from maxpool.sim.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.sim.prompts import Prompt

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimFile:
    """An uploaded file."""

    id: str
    name: str
    kind: str
    content: bytes = field(repr=False)
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimBatch:
    """A batch; it has ended `ends_at`, or when it was cancelled."""

    id: str
    requests: tuple[tuple[str, str], ...]  # custom id, model
    at: float
    ends_at: float
    cancelled_at: float | None = None

    def cancelled(self, now: float) -> SimBatch:
        """The same, ended by its owner."""
        return self if now >= self.ends_at else replace(self, ends_at=now, cancelled_at=now)


@dataclass(slots=True)
class Shelf:
    """All that one organisation holds, by id, oldest first."""

    files: dict[str, SimFile] = field(default_factory=dict)
    batches: dict[str, SimBatch] = field(default_factory=dict)
    containers: set[str] = field(default_factory=set)
    threads: set[str] = field(default_factory=set)

    def fault_of(self, prompt: Prompt) -> Problem | None:
        """What a request names that is not here."""
        for name in prompt.files:
            if name not in self.files:
                return missing(f"File not found: {name}")
        if prompt.container is not None and prompt.container not in self.containers:
            return missing(f"Container not found: {prompt.container}")
        if prompt.goes_on is not None and prompt.goes_on not in self.threads:
            return missing("No Thread state was found for it.", "thread_not_found")
        return None


@dataclass(slots=True)
class Shelves:
    """Everybody's. `new_id` invents what follows the prefix of an id."""

    new_id: Callable[[], str]
    by_organization: dict[str, Shelf] = field(default_factory=dict)

    def of(self, organization: str) -> Shelf:
        """What that organisation holds."""
        return self.by_organization.setdefault(organization, Shelf())

    def container_for(self, organization: str, prompt: Prompt) -> str | None:
        """The container in which the request runs, a new one where it names none; None without."""
        if prompt.container is None and prompt.in_container:
            name = f"container_{self.new_id()}"
            self.of(organization).containers.add(name)
            return name
        return prompt.container


def missing(message: str, error_code: str | None = None) -> Problem:
    """404 for something that this account does not hold."""
    return Problem(status=404, kind="not_found_error", message=message, error_code=error_code)


def page(items: list[_T], query: Mapping[str, str], id_of: Callable[[_T], str]) -> Any:  # noqa: ANN401
    """One page, newest first: (items, whether there are more), or the complaint about its cursor."""
    limit = query.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
        return Problem(
            status=400, kind="invalid_request_error", message="limit: Input should be 1 to 1000"
        )
    newest = items[::-1]
    ids = [id_of(item) for item in newest]
    start, end = 0, len(ids)
    for name in ("after_id", "before_id", "page"):
        value = query.get(name, "").removeprefix("page_")
        if not value:
            continue
        if value not in ids:
            return missing(f"{name}: not found")
        if name == "before_id":
            end = ids.index(value)
            start = max(end - int(limit), 0)
            return newest[start:end], start > 0
        start = ids.index(value) + 1
    return newest[start : start + int(limit)], start + int(limit) < end
