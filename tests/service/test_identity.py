from __future__ import annotations

from dataclasses import replace

import pytest

from maxpool.service.identity import (
    Known,
    account_id,
    is_another,
    same_login,
    shares_organization,
)
from maxpool.wire.credential import StoredCredential


def known(name: str, kind: str = "oauth", plan: str | None = None, **held) -> Known:
    credential = StoredCredential(
        **{"secret": f"secret-of-{name}", "origin": "https://api.example", **held}
    )
    return Known(
        id=f"id-{name}",
        name=name,
        kind=kind,
        provider="anthropic",
        plan=plan,
        credential=credential,
    )


WORK = {"account_uuid": "me", "organization_uuid": "work"}


def test_a_login_seen_twice_is_one_account():  # S13
    other = known("b", **WORK)
    assert same_login(known("a", **WORK), [known("c"), other]) == other
    assert same_login(known("a", secret="same"), [known("b", secret="same")]) is not None


def test_two_organisations_of_one_person_are_two_accounts():  # S13
    mine = known("b", account_uuid="me", organization_uuid="home")
    assert same_login(known("a", **WORK), [mine]) is None
    assert account_id(known("a", **WORK)) != account_id(mine)


def test_two_people_of_one_organisation_are_two_accounts():
    theirs = known("b", account_uuid="you", organization_uuid="work")
    assert same_login(known("a", **WORK), [theirs]) is None


def test_two_keys_of_one_organisation_are_two_accounts():
    keys = [known(name, "api_key", organization_uuid="work") for name in "ab"]
    assert same_login(keys[0], [keys[1]]) is None


@pytest.mark.parametrize(
    ("plan", "same"), [("max_20x", True), ("pro", True), ("team", False), (None, False)]
)
def test_two_tokens_of_one_organisation_are_one_subscription_where_a_plan_is_one_persons(
    plan, same
):
    first = known("a", "subscription", plan=plan, organization_uuid="o")
    second = known("b", "subscription", organization_uuid="o")
    assert (same_login(first, [second]) is not None) == same
    assert shares_organization(first, [second]) == second
    assert shares_organization(first, [known("c", "subscription", organization_uuid="p")]) is None


def test_one_key_at_two_services_is_two_accounts():
    first = known("a", "provider", secret="same")
    second = known("b", "provider", secret="same", origin="https://other.example")
    assert same_login(first, [second]) is None


def test_kinds_and_providers_do_not_mix():
    assert same_login(known("a", **WORK), [known("b", "subscription", **WORK)]) is None
    elsewhere = replace(known("b", **WORK), provider="elsewhere")
    assert same_login(known("a", **WORK), [elsewhere]) is None


def test_an_id_follows_the_person_not_the_name_and_not_the_token():
    first = account_id(known("a", **WORK))
    assert first == account_id(known("b", refresh_token="rotated", **WORK))
    assert first.startswith("a-")
    assert len(first) == 14


def test_an_id_comes_from_the_key_where_nobody_says_whose_it_is():
    assert account_id(known("a", secret="k")) == account_id(known("b", secret="k"))
    assert account_id(known("a")) != account_id(known("b"))
    nothing = replace(known("a"), credential=None)
    assert account_id(nothing) != account_id(replace(nothing, name="b"))


def test_somebody_elses_login_is_noticed():
    assert is_another(known("a", **WORK), known("a", account_uuid="you"))
    assert is_another(known("a", **WORK), known("a", account_uuid="me", organization_uuid="home"))
    assert not is_another(known("a", **WORK), known("a"))
    assert not is_another(known("a", **WORK), known("a", **WORK))
    key = known("a", "api_key", organization_uuid="work")
    assert not is_another(key, known("a", "api_key", organization_uuid="home"))


def test_the_same_person_at_another_provider_is_another_login():  # X5
    mine = known("a", **WORK, issuer="https://login.example")
    theirs = known("b", **WORK, issuer="https://staging.example")
    assert same_login(mine, [theirs]) is None
    assert same_login(mine, [replace(theirs, credential=mine.credential)]) is not None
