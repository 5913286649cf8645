from __future__ import annotations

from maxpool.web.attempts import MAX_ADDRESSES, WINDOW_S, WRONG_KEYS, Attempts

FAR = "192.0.2.7"


def guess(of: Attempts, peer: str | None = FAR, times: int = WRONG_KEYS, now: float = 0.0) -> None:
    for _ in range(times):
        assert of.wait_s(peer, None, now) is None


def test_after_too_many_wrong_keys_no_new_one_is_looked_at_for_a_while():
    of = Attempts()
    guess(of)
    assert of.wait_s(FAR, None, 10.0) == WINDOW_S - 10.0
    assert of.wait_s(FAR, "guessed", 10.0) == WINDOW_S - 10.0, "a right one is not told apart"
    assert of.wait_s(FAR, "guessed", WINDOW_S) is None
    guess(of, times=WRONG_KEYS, now=WINDOW_S)


def test_whoever_was_right_before_is_not_locked_out_by_a_neighbour():
    of = Attempts()
    assert of.wait_s(FAR, "laptop", 0.0) is None
    guess(of)
    assert of.wait_s(FAR, "laptop", 1.0) is None
    assert of.wait_s(FAR, "desk", 1.0) is not None


def test_other_addresses_and_this_machine_are_not_concerned():
    of = Attempts()
    guess(of)
    assert of.wait_s("192.0.2.8", None, 1.0) is None
    for local in ("127.0.0.1", "::1", "::ffff:127.0.0.1", None):
        guess(of, local, 3 * WRONG_KEYS)


def test_one_household_is_one_address():
    of = Attempts()
    for n in range(WRONG_KEYS):
        guess(of, f"2001:db8:1:2::{n:x}", 1)
    assert of.wait_s("2001:db8:1:2:ffff::9", None, 1.0) is not None
    assert of.wait_s("2001:db8:1:3::9", None, 1.0) is None
    assert of.wait_s("fe80::1%eth0", None, 1.0) is None


def test_an_address_that_came_through_a_socket_of_ipv6_is_the_address_it_is():
    of = Attempts()
    guess(of, f"::ffff:{FAR}")
    assert of.wait_s(FAR, None, 1.0) is not None
    assert of.wait_s("::ffff:192.0.2.8", None, 1.0) is None


def test_what_is_known_of_addresses_is_bounded():
    of = Attempts()
    for n in range(2 * MAX_ADDRESSES):
        of.wait_s(f"10.0.{n >> 8}.{n & 255}", None, 0.0)
    assert len(of.seen) == MAX_ADDRESSES
