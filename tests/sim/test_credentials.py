import random

import pytest

from maxpool.sim.accounts import AccountBook
from maxpool.sim.credentials import Caller, caller_of, scope_problem
from maxpool.sim.oauth import OAuthServer
from maxpool.sim.plans import INFERENCE_SCOPE, PROFILE_SCOPE, SimAccount, SimSettings
from maxpool.sim.problems import Problem
from maxpool.sim.requests import SimRequest

NOW = 1_700_000_000.0
TOKEN, KEY = "sk-ant-oat01-one", "sk-ant-api03-two"
PEOPLE = (
    SimAccount("one", TOKEN, "pro", scopes=(INFERENCE_SCOPE,)),
    SimAccount("two", KEY, "api"),
)


def caller(people=PEOPLE, **headers: str) -> Caller | Problem:
    raw = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    request = SimRequest(NOW, None, "POST", "/v1/messages", "", raw, b"")
    settings = SimSettings()
    book = AccountBook(people, settings, NOW, 0)
    return caller_of(request, book, OAuthServer(settings, ("one",), random.Random(0)), NOW)


def name(found: Caller | Problem) -> str:
    assert isinstance(found, Caller), found
    return found.state.account.name


def test_a_key_may_come_in_either_header() -> None:
    assert name(caller(x_api_key=KEY)) == "two"
    assert name(caller(authorization=f"Bearer {KEY}")) == "two"


def test_an_oauth_token_needs_its_beta() -> None:
    refused = caller(authorization=f"Bearer {TOKEN}")
    assert isinstance(refused, Problem)
    assert refused.message == "OAuth authentication is currently not supported."
    beta = "claude-code-20250219,oauth-2025-04-20"
    assert name(caller(authorization=f"Bearer {TOKEN}", anthropic_beta=beta)) == "one"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"x_api_key": "sk-ant-api03-x"}, "invalid x-api-key"),
        ({"authorization": "Bearer sk-ant-api03-x"}, "Invalid bearer token"),
        ({"x_api_key": TOKEN, "anthropic_beta": "oauth-2025-04-20"}, "invalid x-api-key"),
        ({"authorization": "Basic abc"}, "x-api-key header is required"),
        ({}, "x-api-key header is required"),
    ],
)
def test_an_unknown_credential_is_told_so_in_the_vendors_words(headers, message) -> None:
    refused = caller(**headers)
    assert isinstance(refused, Problem)
    assert (refused.status, refused.message) == (401, message)


def test_an_unknown_oauth_token_is_an_invalid_bearer() -> None:
    refused = caller(authorization="Bearer sk-ant-oat01-x", anthropic_beta="oauth-2025-04-20")
    assert isinstance(refused, Problem)
    assert refused.message == "Invalid bearer token"


def test_a_local_server_asks_for_no_key() -> None:
    local = (SimAccount("local", "", "provider"),)
    assert name(caller(local)) == "local"


def test_a_setup_token_may_not_read_profiles() -> None:
    found = caller(authorization=f"Bearer {TOKEN}", anthropic_beta="oauth-2025-04-20")
    assert isinstance(found, Caller)
    problem = scope_problem(found, PROFILE_SCOPE)
    assert problem is not None
    assert problem.message == "OAuth token does not meet scope requirement user:profile"
    assert scope_problem(found, INFERENCE_SCOPE) is None
