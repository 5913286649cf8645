"""`[models]`, `[aliases.NAME]`, `[sets.NAME]`, `[profiles.NAME]`: what model names stand for.

What a person writes about names. `checks` of this module looks at what depends on more than one of
them; `config/routes` turns them into the core's values.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from maxpool.config.fields import DurationOrZero, ModelName, Section, Word, wrong
from maxpool.config.locate import Path
from maxpool.core.targets import PIN, SET

Tier = Literal["fast", "medium", "large", "reasoning"]
Cross = Literal["never", "when-exhausted", "always"]
RouteStrategy = Literal[
    "cost", "ordered", "round-robin", "weighted", "least-used", "sticky", "fastest"
]

CLAUDE: Final = "claude"
USUAL_TIERS: Final[Mapping[Tier, str]] = {
    "fast": "claude-haiku-4-5",
    "medium": "claude-sonnet-5-5",
    "large": "claude-opus-5-5",
}
"""Models of an Anthropic account, which serves each under its own name."""

_ZERO = re.compile(r".+@0{1,3}(?:\.0+)?")


def _target(text: str) -> str:
    if _ZERO.fullmatch(text):
        raise wrong("has the weight 0 and would never serve", "leave the target out")
    if text.startswith((PIN, f"{SET}:")) or text == SET:
        raise wrong(
            "must be MODEL, ACCOUNT/MODEL, PROVIDER/MODEL or an alias; no set and no account: form"
        )
    return text


def _listed(targets: tuple[str, ...]) -> tuple[str, ...]:
    if not targets:
        raise wrong("is empty: it would stand for nothing")
    return targets


TargetWord = Annotated[Word, AfterValidator(_target)]
Targets = Annotated[tuple[TargetWord, ...], Field(strict=False)]
SomeTargets = Annotated[Targets, AfterValidator(_listed)]
Models = Annotated[tuple[Word, ...], Field(strict=False), AfterValidator(_listed)]


class ModelsConfig(Section):
    """`[models]`: what holds for all model names."""

    default_model: ModelName | None = None
    cross_provider: Cross = "when-exhausted"
    cross_after_s: DurationOrZero = 20.0
    when_all_cooling: Literal["wait", "earliest", "refuse"] = "wait"
    claude_code_profile: Word = CLAUDE
    tiers: Mapping[Tier, ModelName] = USUAL_TIERS
    fallbacks: Mapping[Word, SomeTargets] = {}


class AliasConfig(Section):
    """`[aliases."NAME"]`: what a model name, or every name of a pattern, stands for."""

    targets: Targets = ()
    fallback_targets: Targets = ()
    strategy: RouteStrategy = "cost"
    tier: Tier | None = None
    cross_provider: Cross | None = None


class SetConfig(Section):
    """`[sets.NAME]`: a list of targets that can be switched to while the server runs."""

    targets: SomeTargets
    strategy: RouteStrategy = "cost"


class ModelProfileConfig(Section):
    """`[profiles.NAME]`: the models (patterns) that may serve requests of that profile."""

    models: Models


def problems(
    aliases: Mapping[str, AliasConfig], sets: Mapping[str, SetConfig]
) -> Iterator[tuple[Path, str, str]]:
    """What is wrong with names together: the key to blame, what is wrong, and what to write instead."""
    for name, alias in aliases.items():
        path: Path = ("aliases", name)
        if not alias.targets and alias.tier is None:
            yield path, "needs targets or a tier", 'targets = ["ACCOUNT/MODEL"]'
        if name == SET or name.startswith((f"{SET}:", PIN)):
            yield path, "is a name with a meaning of its own", "another name"
        yield from _cycle(name, aliases)
    for name in sets:
        if "/" in name or ":" in name:
            yield ("sets", name), "is part of an address, and may hold no / and no :", ""


def _cycle(name: str, aliases: Mapping[str, AliasConfig]) -> Iterator[tuple[Path, str, str]]:
    """A way from an alias over the aliases it names back to itself, told where it begins."""
    ways: list[tuple[str, tuple[str, ...]]] = [(name, (name,))]
    while ways:
        last, way = ways.pop()
        for number, target in enumerate(_aliases_of(aliases[last], aliases)):
            if target == name and len(way) > 1:
                told = " -> ".join((*way, name))
                path: Path = ("aliases", name, "targets")
                yield path, f"leads back to itself: {told}", "a model in place of one of them"
                return
            if target not in way:
                ways.insert(number, (target, (*way, target)))


def _aliases_of(alias: AliasConfig, aliases: Mapping[str, AliasConfig]) -> list[str]:
    """The aliases that an alias names; its own name is the model of that name."""
    named = (text.partition("@")[0] for text in (*alias.targets, *alias.fallback_targets))
    return [text for text in named if text in aliases and "*" not in text]
