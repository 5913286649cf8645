from maxpool.sim.requests import RequestLog, SimRequest


def request(body: bytes = b"{}", path: str = "/v1/messages") -> SimRequest:
    return SimRequest(0.0, "a", "POST", path, "", [(b"X-Key", b"v")], body)


def test_headers_are_found_in_any_case() -> None:
    assert request().header("x-key") == "v"
    assert request().header("other") is None


def test_a_body_that_is_no_json_reads_as_empty() -> None:
    assert request(b"{broken").json() == {}
    assert request(b'{"model":"m"}').model == "m"
    assert request(b'{"model":7}').model is None


def test_the_oldest_requests_go_when_there_are_too_many() -> None:
    log = RequestLog(keep=2, keep_bytes=1000)
    for n in range(3):
        log.note(request(path=f"/{n}"))
    assert [r.path for r in log] == ["/1", "/2"]


def test_the_oldest_requests_go_when_they_weigh_too_much() -> None:
    log = RequestLog(keep=10, keep_bytes=250)
    for n in range(4):
        log.note(request(b"x" * 100, path=f"/{n}"))
    assert [r.path for r in log] == ["/2", "/3"]
    log.note(request(b"x" * 900, path="/big"))
    assert [r.path for r in log] == ["/big"]
    log.clear()
    log.note(request(b"x" * 100))
    log.note(request(b"x" * 100))
    assert len(log) == 2
