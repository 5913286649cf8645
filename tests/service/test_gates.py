import pytest

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.service.gates import (
    EXIT_CODES,
    Look,
    Verdict,
    auth_gate,
    clock_gate,
    disk_gate,
    look,
    models_gate,
    origin_gates,
    passed,
    served_gates,
    warmth_gate,
    warned,
    worst,
)
from maxpool.sim.clock import WallClock
from maxpool.sim.upstream import SimUpstream
from tests.make import account, pool
from tests.make import key as key_account
from tests.rig import key

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("skew_s", "verdict"), [(0, "PASS"), (-59, "PASS"), (61, "WARN"), (-301, "FAIL")]
)
def test_clocks_that_differ_are_told_by_how_much_it_matters(skew_s, verdict):
    gate = clock_gate("a", skew_s)
    assert gate.verdict == verdict
    assert bool(gate.todo) is (verdict != "PASS")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "PASS"), (429, "PASS"), (401, "FAIL"), (403, "FAIL"), (404, "WARN"), (500, "WARN")],
)
def test_what_a_free_question_says_of_a_credential(status, verdict):
    assert auth_gate("account a", "a", Look(status=status)).verdict == verdict


def test_an_origin_without_an_answer_fails_and_tls_has_a_gate_of_its_own():
    (tls,) = origin_gates("a", "https://x", Look(kind="tls", trouble="unknown authority"), NOW)
    assert (tls.gate, tls.verdict) == ("TLS", "FAIL")
    (gone,) = origin_gates("a", "https://x", Look(kind="refused", trouble="refused"), NOW)
    assert (gone.gate, gone.verdict) == ("origin", "FAIL")
    good = origin_gates("a", "https://x", Look(status=401, date_at=NOW + 1), NOW)
    assert [(g.gate, g.verdict) for g in good] == [("origin", "PASS"), ("clock", "PASS")]


def test_a_mapped_model_that_is_not_listed_is_named():
    gate = models_gate("a", ["here", "gone"], ("here",))
    assert gate is not None
    assert (gate.verdict, gate.said) == ("WARN", "it does not list gone")
    assert models_gate("a", ["x"], None) is None


async def test_one_look_tells_status_models_date_and_time_taken():
    sim, client = SimUpstream([key("a")]), HttpUpstream()
    server = Server(sim.app, graceful_s=0.0)
    await server.start()
    clock = WallClock()
    try:
        headers = [(b"x-api-key", key("a").secret.encode()), (b"anthropic-version", b"2023-06-01")]
        seen = await look(client, f"{server.url}/v1/models", headers, 10.0, clock)
        assert seen.status == 200
        assert seen.models
        assert seen.took_ms > 0.0
        gone = await look(client, "http://127.0.0.1:1/", [], 5.0, clock)
        assert (gone.status, gone.kind) == (None, "refused")
    finally:
        await client.aclose()
        await server.stop(0.0)


def shown(**changed: object) -> dict[str, object]:
    from maxpool.web.report import account as document

    one = pool(key_account("k")).view(NOW).accounts[0]
    return {**document(one), **changed}


def test_what_the_server_says_of_an_account_is_judged():
    assert {g.verdict for g in served_gates(shown())} == {Verdict.PASS}
    locked = served_gates(shown(state="locked_out"))[0]
    assert (locked.verdict, locked.todo) == ("FAIL", "maxpool login k")
    block = {"reason": "quota", "until": NOW, "detail": None}
    benched = served_gates(shown(state="benched", unavailable=block))[0]
    assert (benched.verdict, benched.said) == ("WARN", "benched (quota)")
    unpriced = served_gates(shown(total={"unpriced": 3}))
    assert [g.verdict for g in unpriced if g.gate == "prices"] == ["WARN"]


def test_money_that_is_left_is_told():
    quota = next(g for g in served_gates(shown(balance={"balance_usd": 3.2})) if g.gate == "quota")
    assert quota.said == "3.20 USD left"
    assert account().name == "a"


def test_a_failed_check_of_warmth_is_told_with_its_cause():
    entry = {"account": "a", "model": "m", "state": "failed", "failures": 3, "detail": "no answer"}
    gate = warmth_gate({"mode": "eco", "entries": [entry]})
    assert gate.said == "a/m failed 3 times: no answer"
    assert warmth_gate({"mode": "eco", "entries": []}).verdict == "PASS"


@pytest.mark.parametrize(("free", "verdict"), [(1 << 30, "PASS"), (50 << 20, "WARN"), (1, "FAIL")])
def test_room_on_the_disk(free, verdict):
    assert disk_gate("/state", free).verdict == verdict


def test_the_worst_gate_decides():
    good, doubt = passed("a", "b", "c"), warned("a", "b", "c", "d")
    assert worst([]) == worst([good]) == Verdict.PASS
    assert EXIT_CODES[worst([good, doubt])] == 1
