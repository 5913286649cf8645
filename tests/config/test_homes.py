"""Which home accounts there are, and where: read from TOML as it stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from maxpool.config.account import AccountConfig
from maxpool.config.homes import Home, default_dir, home_of, homes_in

if TYPE_CHECKING:
    from pathlib import Path


def one(tmp_path: Path, **entry: object) -> Home | None:
    found = homes_in([{"kind": "home", "name": "laptop", **entry}], tmp_path, tmp_path / "state")
    return found[0] if found else None


def test_a_home_has_the_id_that_the_model_gives_it(tmp_path: Path):
    found = one(tmp_path)
    assert found is not None
    assert found.id == AccountConfig(name="laptop", kind="home").stable_id
    assert found.config_dir == default_dir(tmp_path / "state", found.id)


def test_its_folder_is_meant_from_the_configs_folder(tmp_path: Path):
    found = one(tmp_path, config_dir="here", id="h-1", enabled=False)
    assert found == Home(id="h-1", name="laptop", config_dir=tmp_path / "here", enabled=False)


@pytest.mark.parametrize("entry", [{"kind": "api_key"}, {"name": 3}, {"id": "../x"}, {"id": ""}])
def test_what_is_no_home_is_left_out(entry: dict[str, object], tmp_path: Path):
    assert one(tmp_path, **entry) is None


@pytest.mark.parametrize("accounts", [None, "x", 3, [3], {}])
def test_a_file_that_makes_no_sense_has_no_homes(accounts: object, tmp_path: Path):
    assert homes_in(accounts, tmp_path, tmp_path) == ()


def test_the_home_of_a_folder_is_found_through_links_too(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    home = Home(id="h", name="h", config_dir=tmp_path / "real")
    assert home_of([home], str(tmp_path / "link")) is home
    assert home_of([home], str(tmp_path)) is home_of([home], None) is None


def test_a_home_is_signed_in_where_the_client_says_so(tmp_path: Path):
    home = Home(id="h", name="h", config_dir=tmp_path)
    assert not home.signed_in
    (tmp_path / ".claude.json").write_text("{broken")
    assert not home.signed_in
    (tmp_path / ".claude.json").write_text(json.dumps({"oauthAccount": {"accountUuid": "u"}}))
    assert home.signed_in


def test_a_home_with_a_login_file_is_signed_in(tmp_path: Path):
    (tmp_path / ".credentials.json").write_text("")
    assert not Home(id="h", name="h", config_dir=tmp_path).signed_in
    (tmp_path / ".credentials.json").write_text("{...}")
    assert Home(id="h", name="h", config_dir=tmp_path).signed_in
