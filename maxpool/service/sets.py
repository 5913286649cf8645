"""Sets of targets by hand: making, renaming, dropping and using them while the server runs.

What was made here is remembered over restarts; sets of the config are changed there. A set is checked
when it is made and when it is used, and kept whatever came of it.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maxpool.core.routes import STRATEGIES
from maxpool.core.sets import DEFAULT, MAX_SETS, SetOf
from maxpool.core.targets import PIN, SET, Unroutable
from maxpool.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from maxpool.core.sets import Sets
    from maxpool.service.routes import Router

log = logging.getLogger("maxpool.admin")

MAX_TARGETS = 200
MAX_TARGET = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}")

Document = dict[str, Any]


@dataclass(slots=True)
class SetDesk:
    """Carries out what a person asks of sets; each act raises `RequestError` or is done at once."""

    router: Router
    wake: Callable[[], None]  # those who wait may find another route

    @property
    def _sets(self) -> Sets:
        return self.router.pool.routing.sets

    def listed(self) -> list[Document]:
        """Every set, the default one first."""
        return [self._document(one) for one in self.router.routes.all_sets()]

    def shown(self, name: str) -> Document:
        """One set with its targets."""
        return self._document(self._found(name))

    def make(self, name: object, targets: object, strategy: object = "cost") -> Document:
        """A new set, or other targets for one made here."""
        made = SetOf(_named(name), _targets(targets), _strategy(strategy))
        if made.name in self._sets.configured:
            raise _conflict(f"The set {made.name!r} stands in the config: change it there.")
        if made.name not in self._sets.made and len(self._sets.made) >= MAX_SETS:
            raise _conflict(f"There are {MAX_SETS} sets already: delete one first.")
        self._sets.make(made)
        self._changed("made", made.name)
        return self.shown(made.name)

    def rename(self, name: str, to: object) -> Document:
        """Another name for a set made here."""
        wanted = _named(to)
        self._own(name)
        if self._sets.find(wanted) is not None or wanted == DEFAULT:
            raise _conflict(f"There is a set {wanted!r} already.")
        self._sets.rename(name, wanted)
        self._changed("renamed to", wanted)
        return self.shown(wanted)

    def drop(self, name: str) -> None:
        """Forget a set made here."""
        self._own(name)
        self._sets.drop(name)
        self._changed("deleted", name)

    def use(self, name: str) -> Document:
        """Have `maxpool` mean that set from now on."""
        found = self._found(name)
        self._sets.use(found.name)
        self._changed("in use", found.name)
        return self.shown(found.name)

    def _own(self, name: str) -> None:
        self._found(name)
        if name not in self._sets.made:
            raise _conflict(f"The set {name!r} stands in the config, or is built: change it there.")

    def _found(self, name: str) -> SetOf:
        found = self.router.routes.set_of(name)
        if found is None:
            known = ", ".join(one.name for one in self.router.routes.all_sets()) or "none"
            message = f"There is no set {name[:64]!r}. There are: {known}."
            raise RequestError(404, "not_found_error", message)
        return found

    def _document(self, one: SetOf) -> Document:
        route = self.router.routes.resolve(f"{SET}:{one.name}")
        targets = () if route is None or isinstance(route, Unroutable) else route.targets
        kept = "config" if one.name in self._sets.configured else "made"
        return {
            "name": one.name,
            "model": f"{SET}:{one.name}",
            "active": self._sets.active == one.name,
            "kept": kept if self._sets.find(one.name) is not None else "built",
            "strategy": one.strategy,
            "written": list(one.targets),
            "targets": [
                {"target": t.label, "model": t.model, "trouble": self.router.trouble(t)}
                for t in targets
            ],
        }

    def _changed(self, what: str, name: str) -> None:
        self.router.pool.revision += 1  # to be saved, and who waits may find another route
        log.info("by hand: set %s: %s", name, what)
        self.wake()


def _named(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong("A set's name is 1 to 64 letters, digits, spaces or . _ @ + -.")
    return name


def _targets(targets: object) -> tuple[str, ...]:
    if not isinstance(targets, list) or not 0 < len(targets) <= MAX_TARGETS:
        raise _wrong(f'targets is a list of 1 to {MAX_TARGETS}, each "ACCOUNT/MODEL" or "MODEL".')
    return tuple(_target(one) for one in targets)


def _target(one: object) -> str:
    if not isinstance(one, str) or not 0 < len(one) <= MAX_TARGET or not one.isprintable():
        raise _wrong('Each target is text such as "ACCOUNT/MODEL".')
    if one == SET or one.startswith((PIN, f"{SET}:")):
        raise _wrong("A target is a model, an account's model or an alias: no set.")
    return one


def _strategy(strategy: object) -> str:
    if strategy not in STRATEGIES:
        known: Sequence[str] = STRATEGIES
        raise _wrong(f"strategy is one of {', '.join(known)}.")
    return str(strategy)


def _wrong(message: str) -> RequestError:
    return RequestError(400, "invalid_request_error", message)


def _conflict(message: str) -> RequestError:
    return RequestError(409, "invalid_request_error", message)
