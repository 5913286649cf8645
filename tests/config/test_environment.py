import os
import sys
from pathlib import Path

import platformdirs
import pytest

from maxpool.config import environment

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the rule of Linux")


def test_the_named_config_file_wins_over_the_platforms_folder():
    assert environment.config_path({"MAXPOOL_CONFIG": "/etc/mp.toml", "HOME": "/h"}) == Path(
        "/etc/mp.toml"
    )


def test_the_named_home_wins_over_the_platforms_state_folder():
    assert environment.state_folder({"MAXPOOL_HOME": "/srv/mp", "HOME": "/h"}) == Path("/srv/mp")


@linux
def test_the_folders_of_linux_follow_the_base_directory_specification():
    env = {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}
    assert environment.config_path(env) == Path("/c/maxpool/config.toml")
    assert environment.state_folder(env) == Path("/s/maxpool")
    assert environment.config_path({"HOME": "/h"}) == Path("/h/.config/maxpool/config.toml")
    assert environment.state_folder({"HOME": "/h"}) == Path("/h/.local/state/maxpool")


def test_the_default_folders_are_those_of_platformdirs():
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAXPOOL_")}
    config = platformdirs.user_config_path("maxpool", appauthor=False)
    assert environment.config_path(env) == config / "config.toml"
    assert environment.state_folder(env) == platformdirs.user_state_path("maxpool", appauthor=False)


def test_no_color_counts_only_when_it_is_not_empty():
    assert environment.no_color({"NO_COLOR": "1"})
    assert not environment.no_color({"NO_COLOR": ""})
    assert not environment.no_color({})


@pytest.mark.parametrize(
    ("env", "name"),
    [({"SHELL": "/usr/bin/fish"}, "fish"), ({}, ""), ({"PSModulePath": "x"}, "powershell")],
)
def test_the_shell_is_told_by_its_variable(env, name):
    assert environment.shell_name(env) == name


def test_an_empty_admin_key_is_none():
    assert environment.admin_key({"MAXPOOL_ADMIN_KEY": ""}) is None
    assert environment.admin_key({"MAXPOOL_ADMIN_KEY": "k"}) == "k"


def test_an_empty_client_key_is_none():
    assert environment.client_key({"MAXPOOL_KEY": ""}) is None
    assert environment.client_key({"MAXPOOL_KEY": "k"}) == "k"


def test_models_to_keep_warm_are_named_with_commas_between_them():
    assert environment.focus_models({}) == ()
    assert environment.focus_models({"MAXPOOL_FOCUS_MODELS": " a, b ,,c"}) == ("a", "b", "c")
