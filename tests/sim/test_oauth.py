import random
from typing import Any

import pytest

from maxpool.sim.oauth import Access, OAuthError, OAuthServer, s256
from maxpool.sim.plans import SimSettings
from maxpool.sim.problems import Problem

NOW = 1_700_000_000.0
CLIENT = "maxpool-demo"
BACK = "http://localhost:7/callback"
DAY = 86_400.0


def server(**settings: Any) -> OAuthServer:
    return OAuthServer(SimSettings(**settings), ("amber",), random.Random(0))


def query(**changes: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "state": "st",
        "code_challenge": s256("verifier"),
        "code_challenge_method": "S256",
        **changes,
    }


def exchange(oauth: OAuthServer, code: str, now: float = NOW, **changes: str):
    body = {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": "verifier",
        **changes,
    }
    return oauth.token(body, now)


def refresh(oauth: OAuthServer, token: str, now: float = NOW, **changes: str):
    return oauth.token(
        {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": token, **changes},
        now,
    )


def login(oauth: OAuthServer, **changes: str) -> dict[str, Any]:
    pair = exchange(oauth, oauth.authorize("amber", query(**changes), NOW))
    assert isinstance(pair, dict), pair
    return pair


def refused(answer: dict[str, Any] | OAuthError) -> str:
    assert isinstance(answer, OAuthError), answer
    assert answer.error == "invalid_grant"
    return answer.description


def test_a_login_yields_a_pair_that_works() -> None:
    oauth = server()
    pair = login(oauth)
    assert pair["access_token"].startswith("sk-ant-oat01-")
    assert pair["refresh_token"].startswith("sk-ant-ort01-")
    assert pair["expires_in"] == 28_800
    access = oauth.access(pair["access_token"], NOW)
    assert isinstance(access, Access)
    assert access.person == "amber"


def test_the_challenge_is_rfc_7636s_example() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert s256(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    "changes", [{"code_verifier": "other"}, {"redirect_uri": "http://localhost:8/callback"}]
)
def test_a_code_is_of_no_use_to_anybody_else(changes) -> None:
    oauth = server()
    refused(exchange(oauth, oauth.authorize("amber", query(), NOW), **changes))


def test_a_code_works_once_and_not_for_long() -> None:
    oauth = server()
    code = oauth.authorize("amber", query(), NOW)
    assert isinstance(exchange(oauth, code), dict)
    refused(exchange(oauth, code))
    late = oauth.authorize("amber", query(), NOW)
    refused(exchange(oauth, late, NOW + 600))


def test_a_refresh_rotates_both_tokens() -> None:
    oauth = server()
    first = login(oauth)
    second = refresh(oauth, first["refresh_token"])
    assert isinstance(second, dict)
    assert second["refresh_token"] != first["refresh_token"]
    assert isinstance(oauth.access(second["access_token"], NOW), Access)


def test_using_a_refresh_token_twice_ends_the_whole_login() -> None:
    oauth = server()
    first = login(oauth)
    second = refresh(oauth, first["refresh_token"])
    assert isinstance(second, dict)
    words = "Refresh token not found or invalid"
    assert refused(refresh(oauth, first["refresh_token"])) == words
    assert refused(refresh(oauth, second["refresh_token"])) == words
    gone = oauth.access(second["access_token"], NOW)
    assert isinstance(gone, Problem)
    assert gone.message == "OAuth token has been revoked. Please obtain a new token."


def test_a_login_dies_after_28_days_however_often_it_was_refreshed() -> None:
    oauth = server()
    pair = login(oauth)
    for day in (9, 18, 27):
        pair = refresh(oauth, pair["refresh_token"], NOW + day * DAY)
        assert isinstance(pair, dict)
    late = refresh(oauth, pair["refresh_token"], NOW + 28 * DAY)
    assert refused(late) == "Refresh token expired"


def test_an_access_token_expires_with_the_vendors_words() -> None:
    oauth = server(access_token_life_s=60.0)
    token = login(oauth)["access_token"]
    assert isinstance(oauth.access(token, NOW + 59), Access)
    expired = oauth.access(token, NOW + 60)
    assert isinstance(expired, Problem)
    assert (expired.status, "has expired" in expired.message) == (401, True)


def test_scopes_only_narrow() -> None:
    oauth = server()
    pair = login(oauth, scope="user:inference user:profile root")
    assert pair["scope"] == "user:inference user:profile"
    narrowed = refresh(oauth, pair["refresh_token"], scope="user:inference org:all")
    assert isinstance(narrowed, dict)
    assert narrowed["scope"] == "user:inference"


def test_a_refresh_without_scope_may_lose_the_profile() -> None:
    oauth = server(refresh_drops_profile=True)
    pair = refresh(oauth, login(oauth)["refresh_token"])
    assert isinstance(pair, dict)
    assert "user:profile" not in pair["scope"].split()


def test_a_revoked_login_stays_revoked() -> None:
    oauth = server()
    one, two = login(oauth), login(oauth)
    oauth.revoke(one["refresh_token"])
    oauth.revoke("never heard of")
    assert isinstance(oauth.access(one["access_token"], NOW), Problem)
    assert isinstance(oauth.access(two["access_token"], NOW), Access)
    oauth.revoke_person("amber")
    refused(refresh(oauth, two["refresh_token"]))


def test_an_unknown_client_or_grant_is_refused_by_name() -> None:
    oauth = server()
    client = oauth.token({"grant_type": "refresh_token", "client_id": "x"}, NOW)
    grant = oauth.token({"grant_type": "password", "client_id": CLIENT}, NOW)
    assert isinstance(client, OAuthError)
    assert isinstance(grant, OAuthError)
    assert (client.error, client.status) == ("invalid_client", 401)
    assert grant.error == "unsupported_grant_type"


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": "token"},
        {"client_id": "x"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"state": ""},
    ],
)
def test_a_broken_authorization_request_is_told_what_is_wrong(changes) -> None:
    assert server().fault_of_query(query()) is None
    assert server().fault_of_query(query(**changes)) is not None


def test_a_token_names_its_owner() -> None:
    oauth = server()
    pair = login(oauth)
    assert oauth.person_of(pair["refresh_token"]) == "amber"
    assert oauth.person_of("x") is None
    assert oauth.person_of(None) is None
