"""Reloading: a wrong file changes nothing and is said; what needs a restart is named (O1)."""

from __future__ import annotations

import pytest

from maxpool.config.load import Loaded, load
from maxpool.config.model import Config
from maxpool.errors import BindError
from maxpool.service.reload import Reloader, cold_changes
from maxpool.sim.clock import HandClock


def _config(text=""):
    return Config.model_validate(text or {})


def _reloader(tmp_path, applied):
    path = tmp_path / "config.toml"
    path.write_text("version = 1\n")

    def again():
        return load(path)

    return path, Reloader(load(path).config, HandClock(time=5.0), again, applied.append, 1.0)


ENTRY = '[[accounts]]\nname = "a"\nsecret = "env:A"\n'


class SleepsWhileSomebodyWrites(HandClock):
    """A clock during whose sleep the file gets its text."""

    def __init__(self, path, text):
        super().__init__()
        self.path, self.text = path, text

    async def sleep(self, seconds):
        self.path.write_text(self.text)


async def _follows(tmp_path, found, later):
    """The accounts that were applied: `found` is in the file at the change, `later` soon after."""
    applied: list[Config] = []
    path = tmp_path / "config.toml"
    path.write_text(ENTRY)
    clock = SleepsWhileSomebodyWrites(path, later)
    reloader = Reloader(load(path).config, clock, lambda: load(path), applied.append, 1.0)

    async def changes():
        path.write_text(found)
        yield

    await reloader.follow(changes())
    return [[entry.name for entry in config.accounts] for config in applied]


@pytest.mark.parametrize("found", ["", "version = 1\n"], ids=["emptied", "begun"])
async def test_a_file_that_is_still_being_written_takes_no_account_away(tmp_path, found):  # O1
    assert await _follows(tmp_path, found, ENTRY) == [["a"]]


async def test_an_account_that_stays_away_is_gone_after_the_second_look(tmp_path):
    assert await _follows(tmp_path, "version = 1\n", "version = 1\n") == [[]]


def test_a_good_file_is_applied_and_dated(tmp_path):
    applied: list[Config] = []
    path, reloader = _reloader(tmp_path, applied)
    path.write_text("version = 1\n[queue]\nlimit = 7\n")
    assert reloader.reload()
    assert applied[0].queue.limit == 7
    assert (reloader.loaded_at, reloader.error, reloader.reloads) == (5.0, None, 1)


def test_a_wrong_file_changes_nothing_and_names_line_and_nearest_name(tmp_path):
    applied: list[Config] = []
    path, reloader = _reloader(tmp_path, applied)
    old = reloader.config
    path.write_text("version = 1\n[queue]\nlimmit = 7\n")
    assert not reloader.reload()
    assert applied == []
    assert reloader.config is old
    assert f"{path}:3" in reloader.error
    assert "limmit" in reloader.error


def test_mending_the_file_clears_the_error(tmp_path):
    path, reloader = _reloader(tmp_path, [])
    path.write_text("nonsense")
    assert not reloader.reload()
    path.write_text("version = 1\n")
    assert reloader.reload()
    assert (reloader.error, reloader.notices()) == (None, ())


def test_a_config_that_cannot_be_applied_keeps_the_old_one(tmp_path):
    _, reloader = _reloader(tmp_path, [])

    def refuse(_config):
        raise BindError("no key", "Add one.")

    reloader.apply = refuse
    assert not reloader.reload()
    assert reloader.error == "no key Add one."


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"server": {"port": 4000}}, "[server] port"),
        ({"server": {"host": "localhost"}}, "[server] host"),
        ({"server": {"drain": "1s"}}, "[server] drain"),
        ({"upstream": {"keepalive_expiry": "9s"}}, "[upstream] keepalive_expiry"),
        ({"upstream": {"client": "httpx"}}, "[upstream] client"),
        ({"secrets": {"store": "file"}}, "[secrets] store"),
        ({"secrets": {"timeout": "1s"}}, "[secrets] timeout"),
        ({"storage": {"folder": "/elsewhere"}}, "[storage] folder"),
        ({"logging": {"format": "json"}}, "[logging] format"),
    ],
)
def test_what_needs_a_restart_is_named(change, named):
    assert cold_changes(Config(), Config.model_validate(change)) == [named]


def test_hot_keys_need_no_restart():
    hot = {"queue": {"limit": 3}, "pool": {"slots_total": 9}, "upstream": {"max_sends": 2}}
    assert cold_changes(Config(), Config.model_validate(hot)) == []


def test_a_needed_restart_stays_named_until_it_happens():
    applied: list[Config] = []
    first = Config.model_validate({"server": {"port": 4000}})
    again = Loaded(config=first, path=None)
    reloader = Reloader(Config(), HandClock(), lambda: again, applied.append, 0.0)
    reloader.reload()
    reloader.reload()
    assert reloader.notices() == ("Restart maxpool to apply: [server] port.",)


def test_going_back_to_what_runs_needs_no_restart():
    first, other = Config(), Config.model_validate({"server": {"port": 4000}})
    files = [Loaded(config=other, path=None), Loaded(config=first, path=None)]
    reloader = Reloader(first, HandClock(), lambda: files.pop(0), lambda _config: None, 0.0)
    reloader.reload()
    reloader.reload()
    assert reloader.notices() == ()
