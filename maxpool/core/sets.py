"""Named sets of targets: which there are, which is in use, and those made while the server runs.

Sets of the config come and go with it; what was made at run time and which set is in use is remembered.
A set only lists; what its targets are is worked out in `core/targets`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "default"
"""The set in use while nobody chose another one; built from the accounts unless the config has one."""
MAX_SETS = 200
"""Sets made at run time; a program that makes them in a loop must not fill the memory."""


@dataclass(frozen=True, slots=True)
class SetOf:
    """A named list of targets, as written."""

    name: str
    targets: tuple[str, ...]
    strategy: str = "cost"


@dataclass(slots=True)
class Sets:
    """All sets but the built one. `revision`: one more with each change."""

    configured: dict[str, SetOf] = field(default_factory=dict)
    made: dict[str, SetOf] = field(default_factory=dict)
    active: str = DEFAULT
    revision: int = 0

    def configure(self, configured: Mapping[str, SetOf]) -> None:
        """The config's sets; one made at run time keeps its name only where the config has no such set."""
        self.configured = dict(configured)
        for name in self.configured.keys() & self.made.keys():
            del self.made[name]
        if self.find(self.active) is None:
            self.active = DEFAULT  # the config has it no more
        self.revision += 1

    def find(self, name: str) -> SetOf | None:
        """The set of that name, None where it is none or the built one."""
        return self.made.get(name) or self.configured.get(name)

    def listed(self) -> list[SetOf]:
        """Every set, those of the config first."""
        return [*self.configured.values(), *self.made.values()]

    def make(self, made: SetOf) -> None:
        """Add a set, or give one made at run time other targets."""
        self.made[made.name] = made
        self.revision += 1

    def drop(self, name: str) -> bool:
        """Forget a set made at run time; False where there is none. The default takes its place."""
        if self.made.pop(name, None) is None:
            return False
        self.active = DEFAULT if self.active == name else self.active
        self.revision += 1
        return True

    def rename(self, name: str, to: str) -> bool:
        """Give a set made at run time another name; False where there is none."""
        found = self.made.pop(name, None)
        if found is None:
            return False
        self.made[to] = SetOf(to, found.targets, found.strategy)
        self.active = to if self.active == name else self.active
        self.revision += 1
        return True

    def use(self, name: str) -> None:
        """Have `maxpool` mean this set from now on."""
        self.active = name
        self.revision += 1

    def dump(self) -> dict[str, Any]:
        """What a snapshot keeps."""
        made = [[one.name, list(one.targets), one.strategy] for one in self.made.values()]
        return {"active": self.active, "made": made}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what a snapshot kept; the config's sets stand before those of the same name."""
        for name, targets, strategy in saved.get("made", ())[:MAX_SETS]:
            if name not in self.configured:
                self.made[str(name)] = SetOf(str(name), tuple(map(str, targets)), str(strategy))
        self.active = str(saved.get("active", DEFAULT))
        self.revision += 1
