import pytest

from maxpool.sim import faults
from maxpool.sim.faults import CutFault, FaultBook, StatusFault
from maxpool.sim.requests import SimRequest


def request(account: str = "a", path: str = "/v1/messages", method: str = "POST") -> SimRequest:
    return SimRequest(0.0, account, method, path, "", [], b"{}")


def test_a_fault_happens_as_often_as_it_was_written_down() -> None:
    book = FaultBook()
    book.inject(CutFault(), times=2)
    assert [book.take(request()) is not None for _ in range(3)] == [True, True, False]
    assert not book.scripted


def test_a_fault_without_a_count_happens_until_it_is_cleared() -> None:
    book = FaultBook()
    book.inject(CutFault(), times=None)
    assert all(book.take(request()) for _ in range(5))
    book.clear()
    assert book.take(request()) is None


def test_a_fault_meets_its_own_account_only() -> None:
    book = FaultBook()
    book.inject(CutFault(), account="b")
    assert book.take(request("a")) is None
    assert book.take(request("b")) is not None


def test_faults_happen_in_the_order_they_were_written() -> None:
    book = FaultBook()
    first, second = faults.status(500), faults.status(502)
    book.inject(first)
    book.inject(second)
    assert [book.take(request()), book.take(request())] == [first, second]


def test_what_is_not_scripted_is_drawn_for_model_calls_until_faults_are_cleared() -> None:
    book = FaultBook()
    book.draw = lambda seen: faults.status(500) if seen.account == "a" else None
    book.inject(CutFault(), times=1)
    taken = [book.take(request(name)) for name in "aab"]
    assert taken == [CutFault(), faults.status(500), None]
    assert book.take(request(path="/v1/models", method="GET")) is None
    book.clear()
    assert book.take(request()) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("POST", "/v1/oauth/token"), ("POST", "/v1/messages/count_tokens")],
)
def test_only_model_calls_are_meant_unless_a_condition_says_otherwise(method, path) -> None:
    book = FaultBook()
    book.inject(CutFault())
    assert book.take(request(path=path, method=method)) is None
    book.inject(faults.bare_429(), when=lambda seen: seen.path == path)
    assert book.take(request(path=path, method=method)) == faults.bare_429()


@pytest.mark.parametrize(
    ("fault", "status", "kind", "words"),
    [
        (faults.overloaded(), 529, "overloaded_error", "Overloaded"),
        (faults.unauthorized(), 401, "authentication_error", "authentication"),
        (faults.revoked(), 403, "permission_error", "OAuth token has been revoked"),
        (faults.not_a_member(), 403, "permission_error", "no longer a member"),
        (faults.oauth_not_allowed(), 403, "permission_error", "not allowed"),
        (faults.plain_forbidden(), 403, "permission_error", "not allowed"),
        (faults.organization_disabled(), 400, "invalid_request_error", "has been disabled."),
        (faults.organization_on_hold(), 400, "invalid_request_error", "on hold"),
        (faults.credit_balance(), 400, "invalid_request_error", "credit balance is too low"),
        (faults.payment_required(), 402, "billing_error", "Payment"),
        (faults.missing_model("m-1"), 404, "not_found_error", "m-1"),
        (faults.concurrency_burst(), 429, "rate_limit_error", "Rate limited"),
        (faults.bare_429(), 429, "rate_limit_error", ""),
        (faults.spend_limit(), 429, "rate_limit_error", "spend limit"),
        (faults.ramp_limit(), 429, "rate_limit_error", "too fast"),
        (faults.status(408), 408, "invalid_request_error", ""),
        (faults.status(422), 422, "invalid_request_error", ""),
    ],
)
def test_rows_of_the_outcome_table_have_their_words(fault, status, kind, words) -> None:
    assert isinstance(fault, StatusFault)
    assert (fault.problem.status, fault.problem.kind) == (status, kind)
    assert words in fault.problem.message


def test_codes_stand_where_machines_look_for_them() -> None:
    codes = [f.problem.error_code for f in (faults.spend_limit(), faults.ramp_limit())]
    assert codes == ["enforced_spend_limit_reached", "ramp_limit_exceeded"]
    assert faults.bare_429().problem.headers == ()


def test_a_bad_requests_bytes_are_kept_exactly() -> None:
    assert faults.bad_request(b"{ odd }").problem.body == b"{ odd }"
    assert faults.bad_request().problem.body is None


def test_a_redirect_says_where_to() -> None:
    problem = faults.redirect("http://elsewhere.invalid/").problem
    assert problem.status == 302
    assert ("location", "http://elsewhere.invalid/") in problem.headers


def test_an_error_event_may_come_first_or_later() -> None:
    assert faults.error_event().after == 0
    assert faults.error_event("api_error", "delta").problem.status == 500
