"""Alerts as people write them: `[alerts]` and `[[alerts.rules]]`, and the rules the core makes of them."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from maxpool.config.fields import (
    Duration,
    DurationOrZero,
    Name,
    Section,
    Word,
    key_reference,
    wrong,
)
from maxpool.core.alertrules import DAY_S, DEFAULT_RULES, AlertRule, When
from maxpool.wire.alerts import FORMS, SECRET_FORMS, target_of

_HOURS: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")
_SHARES: Final = frozenset({"window", "error_rate", "budget"})
_ELSEWHERE: Final = (
    'put the whole URL into an environment variable or a file of mode 0600: "env:NAME"'
)
_ABOVE: Final[Mapping[When, float]] = {"error_rate": 0.25, "balance": 5.0, "internal_errors": 0.0}


def is_reference(text: str) -> bool:
    """Whether it says where the URL is found, rather than being one."""
    return text.startswith(("env:", "file:"))


def _target(text: str, info: ValidationInfo) -> str:
    """A URL that holds no secret, or a reference to one."""
    if is_reference(text):
        return key_reference(text, info)
    try:
        target = target_of(text)
    except ValueError as error:
        raise wrong(str(error), FORMS) from None
    if target.form in SECRET_FORMS or "@" in text.partition("://")[2].partition("/")[0]:
        raise wrong("must not hold a secret, and this kind of URL does", _ELSEWHERE)
    return text


def _hours(text: str) -> str:
    if text and not _HOURS.fullmatch(text):
        raise wrong("must be two times of the day", "22:00-07:00")
    return text


AlertTarget = Annotated[str, AfterValidator(_target)]
QuietHours = Annotated[str, AfterValidator(_hours)]


class AlertRuleConfig(Section):
    """One `[[alerts.rules]]` entry: what is worth a message."""

    when: When
    name: Name | None = None
    account: Word = "*"
    window: Word = "*"
    above: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    before_s: Annotated[tuple[Duration, ...], Field(strict=False, min_length=1, max_length=8)] = (
        7 * DAY_S,
        2 * DAY_S,
    )
    for_s: DurationOrZero = 0.0
    urgent: bool = False
    targets: Annotated[tuple[Name, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _a_share_is_one(self) -> Self:
        if self.when in _SHARES and self.above is not None and not 0.0 < self.above <= 1.0:
            raise wrong(f"above must be a share, more than 0 and at most 1, when = {self.when}")
        return self

    def rule(self, number: int) -> AlertRule:
        """What it means to the core; `number`: its place, for those that have no name."""
        above = _ABOVE.get(self.when, 0.9) if self.above is None else self.above
        return AlertRule(
            name=self.name or f"{self.when}-{number}",
            when=self.when,
            account=self.account,
            window=self.window,
            above=above,
            before_s=self.before_s,
            for_s=self.for_s,
            urgent=self.urgent,
            targets=self.targets,
        )


class AlertsConfig(Section):
    """`[alerts]`: where messages go, and how often."""

    targets: Mapping[Name, AlertTarget] | None = None
    remind_s: DurationOrZero = 0.0
    gap_s: DurationOrZero = 300.0
    quiet_hours: QuietHours = ""
    rules: Annotated[tuple[AlertRuleConfig, ...], Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        rules, targets = self.rules or (), self.targets or {}
        names = [rule.name for rule in rules if rule.name is not None]
        if len(set(names)) != len(names):
            raise wrong("has two rules of one name")
        unknown = {target for rule in rules for target in rule.targets} - targets.keys()
        if unknown:
            raise wrong("has a rule that names a target which is not among `targets`")
        return self

    def for_core(self) -> tuple[AlertRule, ...]:
        """The rules that hold: the usual ones where there are targets and no rules; none without targets."""
        if self.rules is None:
            return DEFAULT_RULES if self.targets else ()
        return tuple(rule.rule(number) for number, rule in enumerate(self.rules, 1))

    def quiet(self) -> tuple[int, int] | None:
        """Quiet hours as minutes of the day."""
        found = _HOURS.fullmatch(self.quiet_hours)
        if found is None:
            return None
        begins, ends = (int(found[i]) * 60 + int(found[i + 1]) for i in (1, 3))
        return begins, ends
