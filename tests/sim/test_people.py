import pytest

from maxpool.core.lease import TokenUsage
from maxpool.sim.accounts import AccountBook
from maxpool.sim.answers import Author, Prose
from maxpool.sim.messages import MessagesFace
from maxpool.sim.people import demo_world
from maxpool.sim.prompts import Prompt, read_object
from maxpool.sim.traffic import Traffic

NOW = 1_700_000_000.0


def test_the_demo_has_three_plans_a_key_and_a_provider() -> None:
    people, _ = demo_world()
    assert sorted(p.plan for p in people) == ["api", "max_20x", "max_5x", "pro", "provider"]
    assert len({p.secret for p in people}) == len({p.name for p in people}) == 5


def test_any_claude_model_is_served() -> None:
    people, settings = demo_world()
    book = AccountBook(people, settings, NOW, 0)
    assert all(state.offers("claude-sonnet-9-9") for state in book)


@pytest.mark.parametrize("minutes", [1.0, 3.0, 30.0])
def test_windows_last_as_long_as_asked(minutes) -> None:
    _, settings = demo_world(minutes)
    assert settings.window_5h_s == minutes * 60
    assert settings.window_7d_s > settings.window_5h_s * 5


def test_demo_traffic_uses_an_account_up_and_its_reset_frees_it() -> None:
    people, settings = demo_world(window_minutes=3.0)
    book = AccountBook(people, settings, NOW, 0)
    marlow = book.named("marlow")
    author, face = Author(settings, Prose(0), 0), MessagesFace()
    refused_at: list[float] = []
    served_after: list[float] = []
    lane = Traffic(0).lanes[0]
    at = NOW
    while at < NOW + 400:
        for turn in lane.step():
            prompt = face.read(read_object(turn.body) or {})
            assert isinstance(prompt, Prompt)
            at += (turn.pause_s + 2.0) / 4  # a quarter of the whole traffic's lanes
            answer = author.answer(prompt, 0)
            if isinstance(marlow.admit(prompt, answer.output_tokens, at), TokenUsage):
                marlow.leave(gone=False)
                if refused_at:
                    served_after.append(at)
            else:
                refused_at.append(at)
    assert refused_at[0] < NOW + 180
    assert served_after
