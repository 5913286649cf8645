"""Ids of accounts whose entry names none."""

from maxpool.config.identity import unwritten_id


def test_it_stays_while_name_and_kind_do_and_is_another_for_any_other():
    known = {unwritten_id(kind, name) for kind in ("home", "api_key") for name in ("a", "b", "")}
    assert len(known) == 6
    assert unwritten_id("home", "laptop") == "a-a0d567c9a32d"
