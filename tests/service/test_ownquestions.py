from __future__ import annotations

from typing import Any

import pytest

from maxpool.errors import StreamCut
from maxpool.ports import Reply, Unreachable
from maxpool.service.clientlogin import ClientLogins, Policy
from maxpool.service.origins import Origins
from maxpool.service.ownquestions import OwnQuestions
from maxpool.sim.clock import HandClock
from tests.make import NOW, account, key, pool, unified

BEARER = "Bearer sk-ant-oat01-mine"
HEADERS = ((b"authorization", BEARER.encode()), (b"x-maxpool-key", b"k"), (b"anthropic-beta", b"b"))


class Body:
    """A response body in given chunks."""

    def __init__(self, *chunks: bytes | StreamCut) -> None:
        self.chunks, self.closed = list(chunks), False

    async def __aiter__(self):
        for chunk in self.chunks:
            if isinstance(chunk, StreamCut):
                raise chunk
            yield chunk

    async def aclose(self) -> None:
        self.closed = True


class Far:
    """An upstream that gives one answer and keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[Any] = []

    async def send(self, call: Any) -> Any:
        self.calls.append(call)
        return self.answer

    async def aclose(self) -> None:
        pass


def questions(answer: Any = None, order: str = "first", *names: Any) -> OwnQuestions:
    found, far = pool(*(names or ("a",))), Far(answer)
    logins = ClientLogins(
        found, Policy(order=order, base_url="https://far.example"), Origins(), NOW
    )
    return OwnQuestions(found, HandClock(NOW), far, logins)


def reply(*chunks: bytes | StreamCut, status: int = 200) -> Reply:
    headers = ((b"content-type", b"application/json"), (b"content-length", b"999"))
    return Reply(status=status, headers=headers, stream=Body(*chunks))


async def test_it_goes_to_the_place_of_logins_with_its_own_bearer_and_no_key_of_ours():  # X5, R22
    asks = questions(reply(b"{", b"}"))
    got = await asks.forward("/api/oauth/usage?x=1", HEADERS, "r")
    (call,) = asks.upstream.calls  # type: ignore[attr-defined]
    assert (call.method, call.url) == ("GET", "https://far.example/api/oauth/usage?x=1")
    assert dict(call.headers)[b"authorization"] == BEARER.encode()
    assert b"x-maxpool-key" not in dict(call.headers)
    assert (got.status, got.body, dict(got.headers)[b"content-length"]) == (200, b"{}", b"2")


@pytest.mark.parametrize(
    "answer",
    [
        Unreachable(kind="refused", detail="", sent=False),
        reply(StreamCut("reset")),
        reply(b"x", status=302),
        reply(b"x" * (1 << 20), b"x"),
    ],
)
async def test_no_answer_is_a_502_that_may_be_asked_again(answer):
    got = await questions(answer).forward("/api/oauth/usage", HEADERS, "r")
    assert (got.status, dict(got.headers)[b"x-should-retry"]) == (502, b"true")
    assert not isinstance(answer, Reply) or answer.stream.closed  # type: ignore[attr-defined]


def test_only_a_claude_code_that_is_signed_in_asks_for_itself():
    signed_in = {"user-agent": "claude-code/2.1.329", "authorization": BEARER}
    assert questions().own(signed_in)
    assert not questions(None, "off").own(signed_in)
    assert not questions().own({**signed_in, "user-agent": "curl/8"})
    assert not questions().own({"user-agent": "claude-code/2"})


def test_the_pools_windows_are_those_that_its_plans_have_told_of():
    asks = questions(None, "off", "a", "b", key("k"), account("home", kind="home"))
    assert asks.windows() == {}
    asks.pool.observe("a", unified(five=0.2, seven=0.4, oi=0.6), NOW)
    asks.pool.observe("home", unified(five=0.9), NOW)
    found = {name: blend.utilization for name, blend in asks.windows().items()}
    assert found["5h"] == 0.2
    assert len(found) == 3
