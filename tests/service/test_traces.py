from __future__ import annotations

from typing import Any

from maxpool import Lease
from maxpool.service.job import Job
from maxpool.service.traces import KEPT_TRIES, Traces
from tests.make import NOW, ask


def job(request_id: str, **given: Any) -> Job:
    return Job(
        **{
            "method": "POST",
            "target": "/v1/messages",
            "headers": (),
            "body": b"{}",
            "request": ask(),
            "request_id": request_id,
            "streaming": True,
            **given,
        }
    )


def lease(lease_id: str) -> Lease:
    return Lease(lease_id, "a", "m", NOW, None)  # type: ignore[arg-type]


def test_several_leases_are_one_request_and_each_finds_it():
    traces = Traces()
    trace = traces.begin(job("r1"), NOW, 10)
    trace.leased(lease("l1"))
    trace.leased(lease("l2"))
    assert trace.lease_ids == ["l1", "l2"]
    assert traces.find("r1") is traces.find("l1") is traces.find("l2") is trace
    assert traces.find("l3") is None


def test_the_oldest_requests_make_room():  # S19
    traces = Traces()
    for number in range(25):
        traces.begin(job(f"r{number}"), NOW, 10)
    assert [t.request_id for t in traces.latest()] == [f"r{n}" for n in range(24, 14, -1)]
    traces.begin(job("last"), NOW, 3)
    assert len(traces.by_request) == 3


def test_tries_of_one_request_are_bounded():  # S19
    trace = Traces().begin(job("r"), NOW, 10)
    for number in range(KEPT_TRIES + 5):
        trace.leased(lease(str(number)))
    assert len(trace.lease_ids) == KEPT_TRIES


def test_the_kind_tells_counts_and_other_paths_apart():
    traces = Traces()
    given: list[dict[str, Any]] = [{}, {"counts_tokens": True}, {"opaque": True}]
    kinds = [traces.begin(job(str(i), **g), NOW, 10).kind for i, g in enumerate(given)]
    assert kinds == ["messages", "count_tokens", "other"]


def test_nothing_of_headers_or_body_is_kept():  # O6
    told = job("r", body=b"a secret question", headers=((b"authorization", b"Bearer secret"),))
    assert "secret" not in repr(Traces().begin(told, NOW, 10))
