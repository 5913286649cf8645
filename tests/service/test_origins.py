"""A credential goes only to the origin it was first used for (X5)."""

from __future__ import annotations

import pytest

from maxpool.ports import Destination
from maxpool.service.origins import Origins, origin_of


def _at(url):
    return {"a": Destination(base_url=url)}


def test_the_first_origin_is_bound():
    origins = Origins()
    assert origins.bind(_at("https://api.example")) == []
    assert origins.bound == {"a": "https://api.example"}


def test_another_origin_locks_until_it_is_confirmed():
    origins = Origins({"a": "https://api.example"})
    (moved,) = origins.bind(_at("https://evil.example"))
    assert (moved.old, moved.new, moved.locks) == (
        "https://api.example",
        "https://evil.example",
        True,
    )
    assert origins.bind(_at("https://evil.example"))[0].locks, "a second look unlocks nothing"
    (confirmed,) = origins.bind(_at("https://evil.example"), frozenset({"a"}))
    assert not confirmed.locks
    assert origins.bind(_at("https://evil.example")) == []


@pytest.mark.parametrize("everyone", [frozenset({"*"}), frozenset({"a"})])
def test_all_accounts_can_be_confirmed_at_once(everyone):
    origins = Origins({"a": "https://api.example"})
    assert not origins.bind(_at("https://new.example"), everyone)[0].locks


def test_a_path_or_a_capital_letter_is_no_other_origin():
    origins = Origins({"a": "https://api.example"})
    assert origins.bind(_at("https://API.example/prefix")) == []


def test_moves_within_this_machine_lock_nothing():
    origins = Origins({"a": "http://127.0.0.1:1000"})
    for url in ("http://localhost:2000", "http://[::1]:3000"):
        (moved,) = origins.bind(_at(url))
        assert not moved.locks


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http://127.0.0.1:1000", "https://api.example"),
        ("https://api.example", "http://127.0.0.1:1000"),
        ("https://api.example", "http://api.example"),
        ("https://api.example", "https://api.example:8443"),
        ("http://127.0.0.1:1", "http://127.0.0.1.evil.example:1"),
    ],
)
def test_every_other_move_locks(old, new):
    assert Origins({"a": old}).bind(_at(new))[0].locks


def test_an_origin_is_scheme_host_and_port():
    assert origin_of("HTTPS://Api.Example:8443/v1?x=1") == "https://api.example:8443"


def test_going_back_to_the_bound_origin_unlocks():
    origins = Origins({"a": "https://api.example"})
    origins.bind(_at("https://evil.example"))
    assert origins.locked == {"a"}
    (back,) = origins.bind(_at("https://api.example"))
    assert (back.locks, origins.locked) == (False, set())
    assert origins.bind(_at("https://api.example")) == []
