import json
from itertools import pairwise
from typing import Any

from maxpool.sim.messages import MessagesFace
from maxpool.sim.prompts import Prompt, read_object
from maxpool.sim.traffic import SimTurn, Traffic, TrafficSettings


def turns(steps: int = 60, seed: int = 0, **settings: Any) -> list[SimTurn]:
    traffic = Traffic(seed, TrafficSettings(**settings))
    return [turn for _ in range(steps) for lane in traffic.lanes for turn in lane.step()]


def test_the_same_seed_makes_the_same_traffic() -> None:
    assert turns(10) == turns(10) != turns(10, seed=1)


def test_every_body_is_a_request_the_upstream_takes() -> None:
    face = MessagesFace()
    for turn in turns():
        prompt = face.read(read_object(turn.body) or {})
        assert isinstance(prompt, Prompt), prompt
        assert prompt.model == turn.model


def test_bodies_are_between_5_and_150_kilobytes() -> None:
    sizes = [len(turn.body) for turn in turns(120)]
    assert min(sizes) > 5_000
    assert 100_000 < max(sizes) <= 150_000


def test_it_says_honestly_who_it_is_and_sends_no_credential() -> None:
    for turn in turns(20):
        headers = dict(turn.headers)
        assert headers["user-agent"] == "maxpool-demo/0.1"
        assert not headers.keys() & {"authorization", "x-api-key", "x-app"}
        assert b"claude-cli" not in turn.body


def test_roles_alternate_and_every_tool_call_is_answered() -> None:
    for turn in turns():
        messages = json.loads(turn.body)["messages"]
        assert [m["role"] for m in messages[::2]] == ["user"] * len(messages[::2])
        assert [m["role"] for m in messages[1::2]] == ["assistant"] * len(messages[1::2])
        for said, heard in zip(messages[1::2], messages[2::2], strict=True):
            calls = [b["id"] for b in said["content"] if b["type"] == "tool_use"]
            results = [b["tool_use_id"] for b in heard["content"] if b["type"] == "tool_result"]
            assert calls == results


def test_a_session_grows_on_top_of_what_it_said_before() -> None:
    said = [t for t in turns(9, coders=1, scripts=0, branch_share=0.0) if t.agent is None]
    histories = [json.loads(t.body)["messages"] for t in said]
    for before, after in pairwise(histories):
        bare = [{**b, "cache_control": None} for b in before[-1]["content"]]
        grown = [{**b, "cache_control": None} for b in after[len(before) - 1]["content"]]
        assert (before[:-1], bare) == (after[: len(before) - 1], grown)
        assert len(after) == len(before) + 2


def test_long_sessions_end_and_new_ones_begin() -> None:
    said = turns(100, coders=1, scripts=0)
    assert 2 <= len({t.session for t in said}) <= 12


def test_sub_agents_run_beside_their_session() -> None:
    agents = [t for t in turns(branch_share=0.3) if t.agent is not None]
    parents = {t.session for t in turns(branch_share=0.3) if t.agent is None}
    assert agents
    assert {t.session for t in agents} <= parents
    assert dict(agents[0].headers)["x-claude-code-agent-id"] == agents[0].agent


def test_a_session_is_named_where_the_proxy_looks_for_it() -> None:
    turn = turns(1, coders=1, scripts=0)[0]
    user = json.loads(json.loads(turn.body)["metadata"]["user_id"])
    assert user["session_id"] == dict(turn.headers)["x-maxpool-session"] == turn.session


def test_one_shots_have_no_session_and_no_stream() -> None:
    for turn in turns(5, coders=0, scripts=2):
        assert turn.session is None
        assert "stream" not in json.loads(turn.body)


def test_speed_shortens_every_pause() -> None:
    slow, fast = (sum(t.pause_s for t in turns(20, speed=s)) for s in (1.0, 4.0))
    assert slow / fast > 3.9
