"""A request on its way is a value: nobody on the way can change it."""

from __future__ import annotations

from maxpool import LeaseRequest
from maxpool.service.job import Job


def test_a_job_is_cautious_only_where_it_is_told_to_be():
    job = Job(
        method="POST",
        target="/v1/messages?beta=true",
        headers=(),
        body=b"{}",
        request=LeaseRequest("m"),
        request_id="r",
        streaming=True,
    )
    assert (job.counts_tokens, job.opaque, job.once) == (False, False, False)
