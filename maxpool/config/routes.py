"""From what the config says of model names to the core's values.

Pure: it looks at no account's state, and what a name stands for is worked out in `core/targets`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.config.account import CLAUDE_CODE
from maxpool.config.names import CLAUDE
from maxpool.core.sets import SetOf
from maxpool.core.settings import PoolSettings
from maxpool.core.targets import ALL, Alias, Names

if TYPE_CHECKING:
    from maxpool.config.model import Config


def names(config: Config) -> Names:
    """Aliases, fallbacks, tiers and profiles of models."""
    models = config.models
    written = {name: profile.models for name, profile in config.profiles.items()}
    usual = models.claude_code_profile
    return Names(
        aliases=tuple(
            Alias(
                name=name,
                targets=alias.targets,
                fallback_targets=alias.fallback_targets,
                strategy=alias.strategy,
                tier=alias.tier,
                cross=alias.cross_provider,
            )
            for name, alias in config.aliases.items()
        ),
        fallbacks=dict(models.fallbacks),
        tiers={str(tier): model for tier, model in models.tiers.items()},
        profiles={CLAUDE: ("claude*",), **written},
        usual_profile={} if usual == ALL else {CLAUDE_CODE: usual},
        default_model=models.default_model,
        cross=models.cross_provider,
        prices=PoolSettings().model_prices,
    )


def sets(config: Config) -> dict[str, SetOf]:
    """The sets that the config has."""
    return {name: SetOf(name, one.targets, one.strategy) for name, one in config.sets.items()}
