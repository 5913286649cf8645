from __future__ import annotations

import json

import pytest

from tests.rig import plan, rig

PAGE = {"accept": "text/html,application/xhtml+xml"}


@pytest.mark.parametrize(
    ("path", "accept", "html"),
    [
        ("/status", {}, False),
        ("/status", PAGE, True),
        ("/", PAGE, True),
        ("/status?format=json", PAGE, False),
        ("/status?format=html", {}, True),
    ],
)
async def test_browsers_get_a_page_and_programs_json(path, accept, html):
    async with rig() as it:
        got = await it.get(path, accept)
        assert got.fields["content-type"].startswith("text/html" if html else "application/json")
        assert got.fields["cache-control"] == "no-store"
        if html:
            assert "default-src 'none'" in got.fields["content-security-policy"]


async def test_reading_changes_nothing():
    async with rig(plan("p", used_5h=0.3)) as it:
        await it.post()
        before = it.proxy.pool.snapshot(0.0)
        for path in ("/status", "/?format=html", "/healthz", "/readyz", "/v1/models"):
            await it.get(path)
        assert it.proxy.pool.snapshot(0.0) == before


async def test_nothing_in_it_is_a_secret():
    async with rig() as it:
        await it.post()
        for got in (await it.get("/status"), await it.get("/", PAGE)):
            assert b"secret-of" not in got.body
            assert b"env:" not in got.body


async def test_names_are_text_on_the_page_and_never_markup():
    headers = {"x-maxpool-session": "<script>alert(1)</script>", **PAGE}
    async with rig() as it:
        await it.post(headers=headers)
        assert b"<script" not in (await it.get("/status", PAGE)).body


async def test_ready_means_that_an_account_can_serve():
    async with rig() as it:
        assert json.loads((await it.get("/readyz")).body) == {"ready": True, "accounts_ready": 3}
        for state in it.proxy.pool.states.values():
            state.enabled = False
        got = await it.get("/readyz")
        assert (got.status, got.json["reason"]) == (503, "no account can serve")
        assert (await it.get("/healthz")).status == 200


async def test_a_paused_pool_is_not_ready_and_says_why():
    async with rig() as it:
        await it.admin("POST", "/pause")
        got = await it.get("/readyz")
        assert got.status == 503
        assert got.json == {"ready": False, "accounts_ready": 3, "reason": "paused"}
        await it.admin("POST", "/resume")
        assert (await it.get("/readyz")).status == 200
