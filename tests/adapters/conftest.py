"""Code that meets sockets is tested on both event loops: uvloop is what `serve` runs on."""

from __future__ import annotations

import asyncio

import pytest

from tests.adapters.certificates import self_signed
from tests.adapters.contract import IMPLEMENTATIONS, Implementation, direct
from tests.postgres import fresh_database, needs_postgres, server

BOTH = {"test_server", "test_sockets", "test_connections"}
PARSING = {"test_upstream_hostile"}  # which bytes make an answer is no question of the loop


def pytest_asyncio_loop_factories(config, item):
    factories = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in BOTH or "implementation" in item.fixturenames:
        uvloop = pytest.importorskip("uvloop")
        factories["uvloop"] = uvloop.new_event_loop
    if item.path.stem in PARSING:
        del factories["asyncio"]
    return factories


def pytest_collection_modifyitems(items):
    for item in items:
        one = getattr(item, "callspec", None) and item.callspec.params.get("implementation")
        for cannot, reason in one.cannot.items() if isinstance(one, Implementation) else ():
            name, _, case = cannot.rstrip("]").partition("[")
            if item.originalname == name and case in item.callspec.id:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda one: one.name)
def implementation(request):
    return request.param


@pytest.fixture
async def connect(implementation):
    """Makes clients of the implementation; after the test nothing of them is left running."""
    made = []

    def make(**parts):
        made.append(implementation.make(**{"proxy_for": direct, **parts}))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()
    for _ in range(5):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert [task for task in left if "Peer._serve" not in repr(task)] == []


@pytest.fixture
def client(connect):
    return connect()


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """A certificate's path, its key's path, and a server's context with them."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def postgres():
    """The URL of a real server; started by the first test that asks for it."""
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def database(request, tmp_path):
    """The URL of an empty database for the ledger."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return fresh_database(request.getfixturevalue("postgres"))
