from pathlib import Path

import pytest

from maxpool.config.load import Overrides, load, parse
from maxpool.config.model import Config
from maxpool.errors import ConfigError


@pytest.fixture
def env(tmp_path):
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_without_a_file_the_defaults_hold_and_no_account_exists(env):
    loaded = load(environ=env)
    assert (loaded.config, loaded.path) == (Config(), None)


def test_the_file_of_the_platforms_folder_is_found(env, tmp_path):
    (tmp_path / "maxpool").mkdir()
    path = written(tmp_path / "maxpool", "[server]\nport = 4000\n")
    loaded = load(environ=env)
    assert (loaded.path, loaded.config.server.port) == (path, 4000)


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_file_that_somebody_named_must_exist(by, env, tmp_path):
    missing = tmp_path / "missing.toml"
    named = {**env, "MAXPOOL_CONFIG": str(missing)} if by == "environment" else env
    with pytest.raises(ConfigError) as caught:
        load(missing if by == "argument" else None, environ=named)
    assert caught.value.problems[0].message == "there is no such file"


def test_a_folder_or_bad_text_in_place_of_a_file_is_said(env, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ=env)
    assert "cannot be read" in caught.value.problems[0].message
    path = tmp_path / "x.toml"
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError) as caught:
        load(path, environ=env)
    assert "UTF-8" in caught.value.problems[0].message


def test_a_byte_order_mark_is_no_error(env, tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbf[server]\nport = 1\n")
    assert load(path, environ=env).config.server.port == 1


def test_the_command_line_wins_over_the_file(env, tmp_path):
    path = written(tmp_path, "[server]\nport = 4000\nhost = '::1'\n")
    loaded = load(path, environ=env, overrides=Overrides(port=5000, log_level="debug"))
    assert (loaded.config.server.port, loaded.config.server.host) == (5000, "::1")
    assert loaded.config.logging.level == "debug"


def test_a_wrong_command_line_value_is_named(env):
    with pytest.raises(ConfigError) as caught:
        load(environ=env, overrides=Overrides(port=70_000))
    problem = caught.value.problems[0]
    assert (problem.path, problem.message) == ("command line", "port must be at most 65535")


def test_all_problems_come_at_once_and_in_file_order():
    text = """
verson = 1
[server]
port = "x"
host = "0.0.0.0"
[[accounts]]
name = "a"
kind = "client"
[[accounts]]
name = "a"
config_dir = "x"
[queue]
limit = -1
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("/c.toml"))
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(lines)
    assert {2, 4, 8, 10, 11, 13} <= set(lines)


def test_a_wrong_client_key_does_not_also_read_as_none_at_all():
    text = "[server]\nrequire_key = true\n[[client_keys]]\nname = 'k'\nsha256 = 'short'\n"
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("/c.toml"))
    assert [problem.line for problem in caught.value.problems] == [5]


def test_an_attributes_name_with_its_unit_is_no_key_of_the_file():
    with pytest.raises(ConfigError):
        parse("[server]\ndrain_s = 3", Path("/c.toml"))


def test_relative_paths_are_meant_from_the_files_folder():
    text = "[upstream]\nca_file = 'ca.pem'\n[storage]\nfolder = '/var/mp'\n"
    config = parse(text, Path("/etc/mp/c.toml"))
    assert config.upstream.ca_file == Path("/etc/mp/ca.pem")
    assert config.storage.folder == Path("/var/mp")


def test_the_advice_after_a_broken_file_repeats_the_path_that_was_given(env, tmp_path):
    path = tmp_path / "my config.toml"
    path.write_text("x = 1")
    with pytest.raises(ConfigError) as caught:
        load(path, environ=env)
    assert caught.value.hint.endswith(f"maxpool config check --config '{path}'")
    with pytest.raises(ConfigError) as caught:
        load(environ={**env, "MAXPOOL_CONFIG": str(path)})
    assert caught.value.hint.endswith("maxpool config check")


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000 + "]" * 5000])
def test_a_value_no_reader_takes_is_a_config_error_like_any_other(tmp_path, value):
    with pytest.raises(ConfigError):
        parse(f"version = {value}\n", tmp_path / "config.toml")


@pytest.mark.parametrize("path", ["/v1/{rest:path}", "/v1/*", "/admin", "v1/x", "/v1/x?y=1"])
def test_allowed_paths_are_exact_and_of_the_api(tmp_path, path):
    with pytest.raises(ConfigError, match="1 problem"):
        parse(f'[server]\nallowed_paths = ["{path}"]\n', tmp_path / "config.toml")
