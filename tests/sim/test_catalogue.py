from maxpool.sim.catalogue import anthropic_models, openai_models


def test_both_lists_name_the_models_and_leave_patterns_out() -> None:
    names = ("claude-opus-5-5", "claude-*", "claude-haiku-5-5")
    ours, theirs = anthropic_models(names), openai_models(names)
    assert (
        [m["id"] for m in ours["data"]]
        == [m["id"] for m in theirs["data"]]
        == [
            "claude-opus-5-5",
            "claude-haiku-5-5",
        ]
    )
    assert ours["last_id"] == "claude-haiku-5-5"
    assert theirs["object"] == "list"


def test_an_empty_list_has_no_ends() -> None:
    assert anthropic_models(("*",)) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }
