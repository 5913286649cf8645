"""When a block ends."""

from __future__ import annotations

from maxpool.core.choice import Blocked, end_of
from maxpool.core.eligibility import Unavailable
from maxpool.core.reasons import Reason


def test_what_ends_first_comes_first_and_what_never_ends_comes_last():
    blocks = [
        Unavailable(Reason.MODEL),
        Unavailable(Reason.DISABLED),
        Unavailable(Reason.QUOTA, 2000.0),
        Unavailable(Reason.NETWORK, 1000.0),
        Unavailable(Reason.SLOTS_FULL),
    ]
    assert sorted(blocks, key=end_of) == blocks[::-1]


def test_a_block_is_waited_for_unless_its_owner_says_otherwise():
    assert not Blocked(Unavailable(Reason.NETWORK, 1000.0)).at_once
