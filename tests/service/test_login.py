from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.ports import Secret
from maxpool.service.login import MAX_ANSWER, Attempt, Code, Problem, answer, returned

ATTEMPT = Attempt(
    url="https://id.example/authorize?state=the-state",
    redirect_uri="http://localhost:4000/callback",
    state="the-state",
    verifier=Secret("the-verifier"),
)


@pytest.mark.parametrize(
    "pasted",
    [
        "the-code#the-state",
        "  the-code#the-\n  state ",  # a terminal broke the line
        "http://localhost:4000/callback?code=the-code&state=the-state",
        "https://id.example/shown?state=the-state&code=the-code#_=_",
        "code=the-code&state=the-state",
    ],
)
def test_a_pasted_code_counts_with_this_sign_ins_state(pasted):  # T10
    assert answer(ATTEMPT, pasted) == Code(Secret("the-code"))


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        ("the-code#another-state", "another sign-in"),
        ("http://localhost:4000/callback?code=the-code&state=no", "another sign-in"),
        ("http://localhost:4000/callback?code=the-code", "another sign-in"),
        ("the-code", "not whole"),
        ("the-code#", "not whole"),
        ("", "nothing"),
        ("#the-state", "no code"),
        ("https://[oops?code=a&state=the-state", "cannot be read"),
        ("x" * (MAX_ANSWER + 1), "too long"),
    ],
)
def test_any_other_answer_is_refused_and_asked_for_again(pasted, why):  # T10
    found = answer(ATTEMPT, pasted)
    assert isinstance(found, Problem)
    assert why in found.text
    assert not found.final


def test_what_the_browser_brings_back_is_judged_alike():
    assert returned(ATTEMPT, "code=the-code&state=the-state") == Code(Secret("the-code"))
    assert isinstance(returned(ATTEMPT, "code=the-code&state=no"), Problem)
    assert isinstance(returned(ATTEMPT, ""), Problem)


def test_an_answer_that_says_something_twice_is_refused():
    for twice in ("code=a&code=b&state=the-state", "code=a&state=the-state&state=x"):
        assert isinstance(returned(ATTEMPT, twice), Problem)


def test_only_the_providers_own_refusal_ends_the_sign_in():
    declined = returned(ATTEMPT, "error=access_denied&state=the-state")
    assert declined == Problem("the sign-in was declined", final=True)
    said = returned(ATTEMPT, "error=x&error_description=no+plan%0A&state=the-state")
    assert said == Problem("the provider ended the sign-in: no plan", final=True)
    forged = returned(ATTEMPT, "error=access_denied&state=guessed")
    assert isinstance(forged, Problem)
    assert not forged.final


def test_neither_state_nor_verifier_show():
    assert "the-state" not in repr(ATTEMPT)
    assert "the-verifier" not in repr(ATTEMPT)


@given(st.text())
def test_no_text_at_all_breaks_it_or_passes_without_the_state(text):
    found = answer(ATTEMPT, text)
    assert isinstance(found, Problem) or "the-state" in "".join(text.split())
