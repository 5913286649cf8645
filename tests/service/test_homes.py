"""Homes tell their quota through their status lines; status lines are shown the pool's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from maxpool import Command, Pool
from maxpool.core.account import HOME
from maxpool.service.homes import RENEW_S, Homes, glance
from maxpool.sim.clock import HandClock
from maxpool.wire.statusline import Window, usage_text
from tests.make import DAY, HOUR, NOW, account, key, lease, pool, state_of, unified

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Folder:
    """Home files in memory."""

    told: dict[str, bytes] = field(default_factory=dict)
    shown: list[Mapping[str, Any]] = field(default_factory=list)

    def usage(self) -> Mapping[str, bytes]:
        found, self.told = self.told, {}
        return found

    def show(self, glance: Mapping[str, Any]) -> None:
        self.shown.append(glance)

    def hide(self) -> None:
        self.shown.clear()


def home(name: str = "laptop", **given: Any) -> Any:
    return account(name, kind=HOME, **given)


def told(used: float, reset_at: float = NOW + HOUR) -> bytes:
    return usage_text({"five_hour": Window(used, reset_at)}, "s", NOW)


def beside(p: Pool, **usage: bytes) -> tuple[Homes, Folder]:
    folder = Folder(dict(usage))
    return Homes(p, folder, HandClock(NOW)), folder


async def test_what_was_told_before_a_restart_is_as_old_as_it_is():
    p = pool(home())
    await beside(p, laptop=told(0.4))[0].tick()
    again = Pool.restore(p.snapshot(NOW + 1), [home()], None, NOW + 600)
    one, folder = beside(again, laptop=told(0.4))
    one.clock = HandClock(NOW + 600)
    await one.tick()
    assert again.states["laptop"].quota.windows["5h"].read_at == NOW
    folder.told["laptop"] = usage_text({"five_hour": Window(0.5, NOW + HOUR)}, "s", NOW + 599)
    await one.tick()
    assert again.states["laptop"].quota.windows["5h"].utilization == 0.5


async def test_what_a_home_tells_is_known_of_it_and_is_no_probe():
    p = pool(home())
    await beside(p, laptop=told(0.4))[0].tick()
    state = p.states["laptop"]
    window = state.quota.windows["5h"]
    assert (window.utilization, window.reset_at, window.source) == (0.4, NOW + HOUR, "statusline")
    assert state.probing.last_at is None


async def test_a_full_home_is_benched_until_its_reset():
    p = pool(home())
    await beside(p, laptop=told(1.04))[0].tick()
    assert state_of(p, "laptop") == "benched"
    assert state_of(p, "laptop", NOW + HOUR + 1) == "home"


async def test_a_file_that_names_no_home_teaches_nothing():
    p = pool("max", home())
    await beside(p, max=told(0.9), gone=told(0.9), laptop=b"junk")[0].tick()
    assert not p.states["max"].quota.windows
    assert not p.states["laptop"].quota.windows


async def test_what_was_told_of_a_window_that_has_ended_is_not_taken():
    p = pool(home())
    await beside(p, laptop=told(0.9, NOW - 1))[0].tick()
    assert not p.states["laptop"].quota.windows


async def test_a_glance_is_written_when_it_changes_and_to_show_that_the_server_lives():
    p = pool("max")
    homes, folder = beside(p)
    await homes.tick()
    await homes.tick()
    assert len(folder.shown) == 1
    p.observe("max", unified(five=0.4), NOW)
    await homes.tick()
    assert len(folder.shown) == 2
    homes.clock.advance(RENEW_S)  # type: ignore[attr-defined]
    await homes.tick()
    assert [g["at"] for g in folder.shown] == [NOW, NOW, NOW + RENEW_S]


def test_the_pools_windows_are_without_the_homes_and_theirs_without_the_pool():
    p = pool("max", home(), home("desk"), key("k"))
    p.observe("max", unified(five=0.4), NOW)
    p.observe("laptop", unified(five=0.8, seven=0.2), NOW)
    seen = glance(p, NOW)
    assert seen["pool"] == {"5h": {"used": 0.4, "reset_at": NOW + 2 * HOUR}}
    assert seen["homes"]["7d"] == {"used": 0.2, "reset_at": NOW + 3 * DAY}
    assert (seen["ready"], seen["total"], seen["homes_count"]) == (2, 2, 2)


def test_disabled_accounts_are_not_counted():  # S23
    p = pool("max", "off", home())
    p.command(Command("disable", "off"), NOW)
    seen = glance(p, NOW)
    assert (seen["ready"], seen["total"]) == (1, 1)


@pytest.mark.parametrize("client_key", [None, "work"])
def test_a_session_finds_its_account(client_key: str | None):
    p = pool("max")
    session = "s-1" if client_key is None else f"{client_key}:s-1"
    lease(p, session=session)
    lease(p, session=session, agent="helper")
    p.observe("max", unified(five=0.25), NOW)
    seen = glance(p, NOW)
    assert seen["sessions"] == {"s-1": "max"}
    assert seen["accounts"]["max"]["windows"]["5h"]["used"] == 0.25
