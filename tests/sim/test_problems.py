from maxpool.sim import problems


def test_a_quota_wall_never_says_retry_after_zero() -> None:
    headers = dict(problems.quota_wall(0.0).headers)
    assert headers == {"retry-after": "1", "x-should-retry": "true"}


def test_a_burst_carries_no_word_about_quota() -> None:
    assert problems.burst(2).headers == (("retry-after", "2"),)
    assert problems.burst(None).headers == ()


def test_more_headers_leave_the_first_ones_in_place() -> None:
    problem = problems.burst(2).with_headers((("a", "b"),))
    assert problem.headers == (("retry-after", "2"), ("a", "b"))


def test_statuses_have_the_documented_types() -> None:
    kinds = [problems.kind_of_status(s) for s in (400, 413, 422, 500, 504, 520, 529)]
    assert kinds == [
        "invalid_request_error",
        "request_too_large",
        "invalid_request_error",
        "api_error",
        "timeout_error",
        "api_error",
        "overloaded_error",
    ]
