from maxpool.core.lease import NetworkFailure, Success, TokenUsage
from maxpool.web.provider_documents import mapped_names, model, providers, speed, warmest
from tests.make import NOW, account, key, pool


def test_a_plan_serves_claude_code_and_a_key_everybody():
    found = model(pool(account("p", serves=frozenset({"claude-code"})), key("k")), "claude-x", NOW)
    assert {a["account"]: a["clients"] for a in found["accounts"]} == {
        "p": ["claude-code"],
        "k": ["claude-code", "others"],
    }


def test_an_account_without_the_model_has_no_line():
    one = pool(key("a", models={"big": "big"}), key("b"))
    assert [a["account"] for a in model(one, "small", NOW)["accounts"]] == ["b"]


def test_nobody_for_a_model_is_said_by_an_empty_list():
    found = model(pool(key("a", models={"big": "big"})), "small", NOW)
    assert (found["clients"], found["ready"], found["accounts"]) == ([], 0, [])


def test_names_come_from_the_maps_of_enabled_accounts():
    one = pool(key("a", models={"x": "y"}), key("b", models={"z": "z"}, enabled=False))
    assert mapped_names(one) == {"x"}


def test_an_account_shows_the_best_of_its_targets():
    assert warmest([{"state": "cold"}, {"state": "warm"}]) == "warm"
    assert warmest([{"state": "cold"}, {"state": "failed"}]) == "failed"
    assert warmest([]) is None


def test_accounts_stand_by_their_provider():
    one = pool(key("k"), account("g", kind="provider", provider="alpha"))
    found = providers(one, NOW, [], {}, "https://up.example")
    assert [(p["provider"], p["name"]) for p in found] == [("alpha", "g"), ("anthropic", "k")]
    assert found[0]["base_url"] == "https://up.example"


def test_the_speed_of_an_account_is_that_of_its_slowest_model():
    one = pool(key("a"))
    for model_name, took in (("fast", 0.2), ("slow", 3.0)):
        one.latency.ended("a", model_name, took, Success(TokenUsage()))
    one.latency.ended("a", "slow", None, NetworkFailure("reset"))
    found = speed(one, "a")
    assert (found["p95_s"], found["answers"]) == (3.0, 3)
    assert found["success"] is not None
    assert 0.6 < found["success"] < 0.7
    assert speed(one, "b")["p95_s"] is None
