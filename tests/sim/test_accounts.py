import pytest

from maxpool.core.lease import TokenUsage
from maxpool.sim.accounts import AccountBook, SimState
from maxpool.sim.plans import SimAccount, SimSettings
from maxpool.sim.problems import Problem
from maxpool.sim.promptcache import Piece
from maxpool.sim.prompts import Prompt

NOW = 1_700_000_000.0
SONNET = "claude-sonnet-5-5"


def state(plan="pro", settings: SimSettings | None = None, **given) -> SimState:
    account = SimAccount("a", "s", plan, **{"capacity_tokens": 10_000.0, **given})
    return AccountBook([account], settings or SimSettings(), NOW, 0).named("a")


def prompt(model: str = SONNET, size: int = 8000, life="5m") -> Prompt:
    return Prompt(
        model=model,
        stream=True,
        max_tokens=100,
        pieces=(Piece(b"x" * size, life),),
        asked="hi",
        variant=model,
    )


def refused(answer: TokenUsage | Problem) -> tuple[int, dict[str, str]]:
    assert isinstance(answer, Problem), answer
    return answer.status, dict(answer.headers)


def test_a_request_is_charged_when_it_is_let_in() -> None:
    account = state()
    usage = account.admit(prompt(), 10, NOW)
    assert usage == TokenUsage(0, 10, 0, 2000, 0)
    truth = account.truth(NOW)
    assert truth.tokens_burned == pytest.approx(1.25 * 2000 + 5 * 10)
    assert truth.utilization_5h == pytest.approx(0.255)
    assert (truth.in_flight, truth.served) == (1, 1)


def test_the_same_prefix_is_cheap_the_second_time() -> None:
    account = state()
    account.admit(prompt(), 10, NOW)
    assert account.admit(prompt(), 10, NOW + 1) == TokenUsage(0, 10, 2000, 0, 0)
    assert account.truth(NOW + 1).cache_entries == 1


def test_an_exhausted_plan_answers_with_the_time_to_its_reset() -> None:
    account = state(used_5h=1.0)
    status, headers = refused(account.admit(prompt(), 10, NOW + 100.5))
    assert status == 429
    assert headers["retry-after"] == "17900"
    assert headers["x-should-retry"] == "true"
    assert headers["anthropic-ratelimit-unified-status"] == "rejected"
    assert headers["anthropic-ratelimit-unified-representative-claim"] == "five_hour"
    assert account.truth(NOW + 101).limited == 1
    assert isinstance(account.admit(prompt(), 10, NOW + 18_000), TokenUsage)


def test_too_many_at_once_is_a_burst_and_no_word_about_quota() -> None:
    account = state(concurrency=2)
    for _ in range(2):
        account.admit(prompt(), 10, NOW)
    status, headers = refused(account.admit(prompt(), 10, NOW))
    assert (status, headers) == (429, {"retry-after": "2"})
    account.leave(gone=False)
    assert isinstance(account.admit(prompt(), 10, NOW), TokenUsage)
    assert account.truth(NOW).peak_in_flight == 2


def test_an_empty_bucket_of_a_key_tells_when_to_come_back() -> None:
    account = state("api", capacity_tokens=3000.0)
    account.admit(prompt(), 10, NOW)
    status, headers = refused(account.admit(prompt(SONNET, 8004), 10, NOW))
    assert status == 429
    assert headers["retry-after"] == "21"
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "0"
    assert not any("unified" in name for name in headers)


def test_a_model_the_account_lacks_is_named_in_a_404() -> None:
    answer = state(models=("claude-haiku-*",)).admit(prompt(), 10, NOW)
    assert isinstance(answer, Problem)
    assert answer.status == 404
    assert SONNET in answer.message


def test_a_client_that_left_is_counted() -> None:
    account = state()
    account.admit(prompt(), 10, NOW)
    account.leave(gone=True)
    truth = account.truth(NOW)
    assert (truth.in_flight, truth.cancelled) == (0, 1)


def test_accounts_of_one_organization_share_quota_and_cache() -> None:
    people = [SimAccount(n, n, "pro", "shared", capacity_tokens=10_000.0) for n in ("a", "b")]
    book = AccountBook(people, SimSettings(), NOW, 0)
    book.named("a").admit(prompt(), 10, NOW)
    assert book.named("b").admit(prompt(), 10, NOW) == TokenUsage(0, 10, 2000, 0, 0)
    assert book.named("a").truth(NOW).utilization_5h == book.named("b").truth(NOW).utilization_5h


def test_two_accounts_of_one_name_are_a_mistake() -> None:
    people = [SimAccount("a", "1", "pro"), SimAccount("a", "2", "pro")]
    with pytest.raises(ValueError, match="'a'"):
        AccountBook(people, SimSettings(), NOW, 0)


def test_the_family_bucket_shows_on_its_family_alone() -> None:
    account = state(settings=SimSettings(family_window="fable"))
    name = "anthropic-ratelimit-unified-7d_oi-utilization"
    assert name in dict(account.headers("claude-fable-5-1", NOW))
    assert name not in dict(account.headers(SONNET, NOW))
    assert account.truth(NOW).utilization_family == 0


def test_a_feigned_wall_leaves_the_truth_alone() -> None:
    account = state()
    wall = account.feigned_wall("7d", SONNET, 90.0, NOW)
    headers = dict(wall.headers)
    assert headers["retry-after"] == "90"
    assert headers["anthropic-ratelimit-unified-7d-reset"] == str(int(NOW) + 90)
    assert headers["anthropic-ratelimit-unified-5h-status"] == "allowed"
    assert account.truth(NOW).utilization_7d == 0
    family = dict(account.feigned_wall("family", "claude-fable-5-1", None, NOW).headers)
    assert family["anthropic-ratelimit-unified-7d_oi-status"] == "rejected"
