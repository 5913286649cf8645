"""`/admin/config`: every key as it holds, without a secret."""

from __future__ import annotations

from tests.rig import key, rig


async def test_every_key_is_told_with_where_it_comes_from():
    async with rig(key("a"), server={"drain": "7s"}) as it:
        got = (await it.admin("GET", "/config")).json
        (server,) = [t for t in got["tables"] if t["name"] == "server"]
        told = {s["key"]: (s["value"], s["origin"]) for s in server["settings"]}
        assert told["drain"] == ('"7s"', "file")
        assert told["require_key"] == ("false", "default")
        assert told["tls_cert"][0] is None


async def test_secrets_are_references():
    async with rig(key("a")) as it:
        text = (await it.admin("GET", "/config")).body.decode()
        assert "env:a" in text
        assert "secret-of" not in text


async def test_it_needs_the_admin_key():  # X3
    async with rig(key("a")) as it:
        assert (await it.get("/admin/config")).status == 401
