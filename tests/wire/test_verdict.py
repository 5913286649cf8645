"""wire/verdict: one named test per row of the outcome table, and the order of evidence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.lease import (
    AccountClosed,
    AuthFinal,
    AuthRejected,
    BillingFailure,
    Burst,
    FamilyQuotaExceeded,
    Forbidden,
    Garbage,
    ModelMissing,
    Outcome,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    SpendLimited,
    Success,
    TokenUsage,
    TransientFailure,
)
from maxpool.core.rejected import ContextExceeded
from maxpool.wire.verdict import RULES, classify, classify_answer, classify_error_event, read_facts

NOW = 1_787_270_000.0
RESET = NOW + 3600
MODEL = "claude-opus-5-5"
U = "anthropic-ratelimit-unified-"


def envelope(kind: str = "rate_limit_error", message: str = "", code: str | None = None) -> bytes:
    error: dict[str, object] = {"type": kind, "message": message}
    if code:
        error["details"] = {"error_code": code}
    return json.dumps({"type": "error", "error": error, "request_id": "req_011"}).encode()


def verdict(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Outcome:
    return classify(status, headers or {}, body, model=MODEL, now=NOW)


def told(**headers: str) -> dict[str, str]:
    """Unified headers; `u5h_utilization` stands for `...-5h-utilization`."""
    return {
        U + name.removeprefix("u").replace("__", "~").replace("_", "-").replace("~", "_"): value
        for name, value in headers.items()
    }


def rejected(**headers: str) -> dict[str, str]:
    return told(**({"ustatus": "rejected", "ureset": str(RESET)} | headers))


# -- rows -----------------------------------------------------------------------------------------


def test_every_rule_has_a_name_of_its_own_and_the_last_one_always_holds():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert RULES[-1].when(read_facts(100, {}, b"", model="", now=0.0))


def test_a_redirect_is_never_followed_and_shown_as_502():
    assert verdict(302) == RequestRejected(502)


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
def test_a_spend_limit_is_told_by_its_code_before_any_header(code: str):
    headers = rejected(urepresentative_claim="five_hour")
    assert verdict(429, envelope(code=code), headers) == SpendLimited()


def test_a_gateways_spend_limit_is_a_spend_limit():
    assert verdict(429, envelope("billing_error")) == SpendLimited()


def test_the_growth_cap_is_a_burst_even_beside_quota_headers():
    headers = rejected(urepresentative_claim="five_hour") | {"retry-after": "7"}
    outcome = verdict(429, envelope(code="ramp_limit_exceeded"), headers)
    assert isinstance(outcome, Burst)
    assert outcome.retry_after_s == 7


def test_a_429_with_a_claim_is_quota_until_that_windows_reset():
    headers = rejected(urepresentative_claim="seven_day", u7d_reset=str(RESET + 9))
    assert verdict(429, envelope(), headers) == QuotaExceeded("7d", RESET + 9)
    headers = rejected(urepresentative_claim="five_hour")
    assert verdict(429, envelope(), headers) == QuotaExceeded("5h", RESET)


def test_a_claim_on_one_family_closes_only_that_family():
    headers = rejected(urepresentative_claim="seven_day_overage_included")
    assert verdict(429, envelope(), headers) == FamilyQuotaExceeded("opus", RESET)
    headers = rejected(urepresentative_claim="seven_day_sonnet")
    assert verdict(429, envelope(), headers) == FamilyQuotaExceeded("sonnet", RESET)


def test_the_claim_outranks_a_window_status():
    headers = rejected(urepresentative_claim="five_hour", u7d_status="rejected")
    assert verdict(429, b"", headers) == QuotaExceeded("5h", RESET)


def test_a_window_status_outranks_a_utilization():
    headers = rejected(u7d_status="rejected", u5h_utilization="1.0")
    assert verdict(429, b"", headers) == QuotaExceeded("7d", RESET)


def test_a_full_window_outranks_a_full_family_bucket():
    headers = rejected(u5h_utilization="1.04", u7d__oi_utilization="1.0")
    assert verdict(429, b"", headers) == QuotaExceeded("5h", RESET)
    headers = rejected(u5h_utilization="0.5", u7d__oi_utilization="1.0")
    assert verdict(429, b"", headers) == FamilyQuotaExceeded("opus", RESET)


def test_a_rejection_that_names_nothing_with_both_windows_low_is_the_familys():
    headers = rejected(u5h_utilization="0.2", u7d_utilization="0.4")
    assert verdict(429, envelope(), headers) == FamilyQuotaExceeded("opus", RESET)


def test_the_evidence_of_a_429_counts_in_one_order_from_the_code_to_nothing():
    """Each step takes the strongest evidence away."""
    steps: list[tuple[dict[str, str], type[Outcome], str | None]] = [
        ({"urepresentative_claim": "seven_day"}, QuotaExceeded, "7d"),
        ({"u5h_status": "rejected"}, QuotaExceeded, "5h"),
        ({"u7d_utilization": "0.9995"}, QuotaExceeded, "7d"),
        ({"u7d__oi_utilization": "1.0"}, FamilyQuotaExceeded, None),
    ]
    bucket = {"anthropic-ratelimit-tokens-remaining": "0"}
    for i, (_, kind, window) in enumerate(steps):
        headers = told(**{k: v for more, _, _ in steps[i:] for k, v in more.items()}) | bucket
        assert isinstance(
            verdict(429, envelope(code="enforced_spend_limit_reached"), headers), SpendLimited
        )
        outcome = verdict(429, envelope(), headers)
        assert isinstance(outcome, kind)
        assert window is None or getattr(outcome, "window", None) == window
    assert isinstance(verdict(429, envelope(), bucket), RateLimited)
    assert isinstance(verdict(429, envelope(), {"retry-after": "99"}), Burst)


def test_extra_usage_texts_are_the_requests_own_and_may_go_to_one_other_account():
    for text in ("You're out of extra usage.", "Extra usage is required for long context requests"):
        for status in (400, 429):
            body = envelope("invalid_request_error", text)
            assert verdict(status, body) == RequestRejected(status, retry_other=True)
    low = rejected(u5h_utilization="0.2", u7d_utilization="0.4")
    assert verdict(429, envelope(message="out of extra usage"), low) == RequestRejected(429, True)
    named = rejected(urepresentative_claim="five_hour")
    assert verdict(429, envelope(message="out of extra usage"), named) == QuotaExceeded("5h", RESET)


def test_an_empty_standard_bucket_is_a_rate_limit_until_its_reset():
    prefix = "anthropic-ratelimit-input-tokens-"
    headers = {prefix + "remaining": "0", prefix + "reset": "2026-08-20T08:53:20Z"}
    assert verdict(429, envelope(), headers) == RateLimited(1_787_216_000.0)
    assert verdict(429, envelope(), {"x-ratelimit-remaining-requests": "0"}) == RateLimited(None)


def test_retry_after_alone_is_no_evidence_of_quota():
    outcome = verdict(429, envelope(message="Rate limited"), {"retry-after": "3000"})
    assert isinstance(outcome, Burst)
    assert outcome.retry_after_s == 3000


def test_a_429_on_an_allowed_account_is_a_burst_even_at_100_percent():
    headers = told(ustatus="allowed", urepresentative_claim="five_hour", u5h_utilization="1.0")
    assert isinstance(verdict(429, envelope(), headers), Burst)


def test_a_429_without_a_verdict_may_still_carry_evidence():
    assert verdict(429, b"", told(urepresentative_claim="five_hour")) == QuotaExceeded("5h", None)
    assert verdict(429, b"", told(u7d_utilization="1.0")) == QuotaExceeded("7d", None)


def test_529_and_an_overloaded_error_mean_this_model_has_no_capacity():
    for status in (529, 503, 500):
        outcome = verdict(status, envelope("overloaded_error", "Overloaded"))
        assert isinstance(outcome, Overloaded)
        assert outcome.model == MODEL


@pytest.mark.parametrize("status", [408, 409, 500, 501, 502, 503, 504, 520, 526, 530])
def test_server_trouble_is_transient(status: int):
    assert verdict(status, b"<html>Bad gateway</html>") == TransientFailure(status)


def test_401_is_a_rejected_bearer_unless_it_says_that_the_login_is_over():
    for text in ("Invalid bearer token", "OAuth token has expired.", ""):
        assert verdict(401, envelope("authentication_error", text)) == AuthRejected()
    over = "OAuth authentication is currently not allowed for this organization."
    assert verdict(401, envelope("authentication_error", over)) == AuthFinal(over.lower()[:80])


@pytest.mark.parametrize(
    "text",
    [
        "OAuth token has been revoked. Please obtain a new token.",
        "Account is no longer a member of the organization associated with this token.",
        "OAuth authentication is currently not allowed for this organization.",
    ],
)
def test_a_403_that_ends_the_login_is_final(text: str):
    assert isinstance(verdict(403, envelope("permission_error", text)), AuthFinal)
    assert isinstance(verdict(403, envelope(code="oauth_org_not_allowed")), AuthFinal)


def test_any_other_403_is_forbidden():
    assert verdict(403, envelope("permission_error", "No.")) == Forbidden()
    assert verdict(403, b"<html>") == Forbidden()


def test_a_disabled_organisation_closes_the_account_although_it_is_a_400():
    body = envelope("invalid_request_error", "This organization has been disabled.")
    assert isinstance(verdict(400, body), AccountClosed)
    held = verdict(400, envelope(code="organization_on_hold"))
    assert held == AccountClosed("organization_on_hold")


def test_billing_trouble_is_told_by_402_or_the_credit_text():
    body = envelope("invalid_request_error", "Your credit balance is too low to access the API")
    assert verdict(402) == verdict(400, body) == BillingFailure()


def test_a_404_that_names_the_model_is_a_missing_model_and_any_other_is_not():
    assert verdict(404, envelope("not_found_error", f"model: {MODEL}")) == ModelMissing(MODEL)
    assert verdict(404, envelope("not_found_error", "no such file")) == RequestRejected(404)
    assert classify(404, {}, envelope("not_found_error"), model="", now=0) == RequestRejected(404)


@pytest.mark.parametrize("status", [400, 404, 410, 413, 422, 425, 418])
def test_what_belongs_to_the_request_blames_nobody(status: int):
    assert verdict(status, envelope("invalid_request_error", "no")) == RequestRejected(status)


def test_what_is_too_long_says_so_and_may_go_to_a_larger_model():  # P3
    body = envelope("invalid_request_error", "prompt is too long: 214000 tokens > 200000 maximum")
    assert verdict(400, body) == ContextExceeded(400)
    body = envelope(
        "invalid_request_error", "input length and `max_tokens` exceed context limit: 9"
    )
    assert verdict(400, body) == ContextExceeded(400)


def test_a_code_outranks_the_text_beside_it():
    body = envelope(
        "invalid_request_error", "credit balance is too low", "claude_code_version_too_old"
    )
    assert verdict(400, body) == RequestRejected(400)


# -- what every row must survive ------------------------------------------------------------------


@given(
    st.integers(100, 599), st.binary(max_size=64), st.dictionaries(st.text(), st.text(max_size=20))
)
def test_any_answer_at_all_has_an_outcome(status: int, body: bytes, headers: dict[str, str]):
    assert verdict(status, body, headers) is not None


@pytest.mark.parametrize(
    "body",
    [b'{"error":3}', b"[]", b'{"error":{"type":1,"message":[],"details":[1,{}]}}', b"[" * 9999],
)
def test_odd_envelopes_are_read_as_saying_nothing(body: bytes):
    assert verdict(400, body) == RequestRejected(400)


def test_fingerprints_are_alike_across_accounts_and_differ_across_troubles():
    def mark(message: str) -> str:
        return verdict(429, envelope(message=message)).fingerprint  # type: ignore[union-attr]

    assert mark("Slow down req_01AbC, try in 12 s") == mark("Slow down req_99Zz, try in 7 s")
    assert mark("Rate limited") != mark("Too many connections")
    assert len(mark("long " * 1000)) <= 80


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("overloaded_error", Overloaded),
        ("rate_limit_error", Burst),
        ("api_error", TransientFailure),
        ("timeout_error", TransientFailure),
        ("authentication_error", AuthRejected),
        ("permission_error", Forbidden),
        ("invalid_request_error", RequestRejected),
        ("billing_error", BillingFailure),
        ("something_new", TransientFailure),
    ],
)
def test_an_error_event_before_content_is_a_failure_like_any_other(
    kind: str, outcome: type[Outcome]
):
    assert isinstance(classify_error_event(envelope(kind), MODEL), outcome)
    assert classify_error_event(b"junk", MODEL) == TransientFailure(500)


def test_a_200_that_is_no_answer_is_garbage():
    json_type = "application/json"
    assert classify_answer(json_type, b" \n") == Garbage("empty")
    assert classify_answer("text/html; charset=utf-8", b"hello") == Garbage("html")
    assert classify_answer(json_type, b"\n<!doctype html>") == Garbage("html")
    assert classify_answer(json_type, b'{"id": "msg_') == Garbage("json")
    assert classify_answer(json_type, b"[]") == Garbage("json")
    assert classify_answer(json_type, envelope("overloaded_error")) == Garbage("error")


def test_a_200_with_an_answer_carries_its_usage_even_if_it_is_a_refusal():
    body = b'  {"type":"message","stop_reason":"refusal","usage":{"input_tokens":3}}'
    assert classify_answer("application/json", body) == Success(TokenUsage(input=3))
    assert classify_answer("application/json", b'{"input_tokens": 3}') == Success(TokenUsage())


@pytest.mark.parametrize(
    "content", ["[]", '[{"type":"text","text":""}]', "null", '[{"type":"text"}]']
)
def test_another_vendors_answer_that_ends_and_says_nothing_is_garbage(content: str):
    body = f'{{"type":"message","stop_reason":"end_turn","content":{content}}}'.encode()
    assert classify_answer("application/json", body, gated=True) == Garbage("empty")
    assert classify_answer("application/json", body) == Success()


@pytest.mark.parametrize(
    ("stop", "content"),
    [
        ("refusal", "[]"),
        ("max_tokens", "[]"),
        ("end_turn", '[{"type":"text","text":"x"}]'),
        ("end_turn", '[{"type":"tool_use","id":"t"}]'),
    ],
)
def test_an_answer_that_says_why_it_is_empty_is_one(stop: str, content: str):
    body = f'{{"type":"message","stop_reason":"{stop}","content":{content}}}'.encode()
    assert classify_answer("application/json", body, gated=True) == Success()
