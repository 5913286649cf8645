"""The README tells the truth about what can be checked by a machine."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from starlette.routing import Route

from maxpool.app.build import build
from maxpool.cli.group import VERBS, maxpool
from maxpool.config.load import parse
from maxpool.config.model import Config
from maxpool.core.cost import Cost
from maxpool.core.eligibility import Reason
from maxpool.core.health import draw
from maxpool.service.roster import SETTINGS
from maxpool.web.application import Switch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_every_reason_is_explained():
    table = README.split("<!-- reasons")[1].split("\n\n")[0]
    told = set(re.findall(r"`([a-z_]+)`", table))
    assert {reason.value for reason in Reason} <= told


def test_every_cost_term_is_explained():
    section = README.split("**The choice**")[1].split("**Health**")[0]
    assert {f"`{name}`" for name in Cost._fields} <= set(re.findall(r"`[a-z]+`", section))


def test_the_health_table_is_the_codes_own():
    assert draw() in README


def test_the_admin_api_is_told_completely_and_truly():
    section = README.split("<!-- admin")[1].split("\n\n")[0]
    told = set(re.findall(r"`((?:GET|POST|PATCH|DELETE) /admin/[^`]+)`", section))
    names = {"account": "ID", "session:path": "ID", "request": "REQUEST"}
    switch = build(Config()).app.app
    assert isinstance(switch, Switch)
    served = {
        f"{method} {re.sub(r'{([^}]+)}', lambda found: names.get(found[1], 'NAME'), route.path)}"
        for route in switch.app.routes
        if isinstance(route, Route) and route.path.startswith("/admin")
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert told == served


def test_what_can_be_changed_of_an_account_is_told():
    (row,) = [line for line in README.splitlines() if "`PATCH /admin/accounts/ID`" in line]
    assert set(re.findall(r"`([a-z]+)`", row)) == {*SETTINGS, "enabled"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_of_the_readme_exists_and_is_mentioned(verb):
    assert f"maxpool {verb}" in README
    assert maxpool.get_command(click.Context(maxpool), verb) is not None


def test_no_command_is_promised_that_does_not_exist():
    said = set(re.findall(r"maxpool ([a-z]+)(?: |`|\n)", "\n".join(_blocks("sh"))))
    assert said <= set(VERBS)


def test_the_example_config_is_valid(tmp_path):
    (example,) = _blocks("toml")
    config = parse(example, tmp_path / "config.toml")
    assert [a.kind for a in config.accounts] == ["api_key", "subscription", "provider"]


def test_every_file_and_script_named_exists():
    for name in re.findall(r"`(scripts/[a-z]+|[a-z]+/[a-z_]+\.py)`", README):
        path = ROOT / name if name.startswith("scripts/") else ROOT / "maxpool" / name
        assert path.exists(), name
