"""`/admin/sets`."""

from __future__ import annotations

from tests.rig import MODEL, ask, rig


async def test_a_set_is_switched_while_requests_run():
    async with rig() as it:
        for name in ("b", "c"):
            made = await it.admin("POST", "/sets", {"name": name, "targets": [f"{name}/{MODEL}"]})
            assert made.status == 201
            used = await it.admin("POST", f"/sets/{name}/use", {})
            assert used.json["set"]["active"]
            got = await it.post(ask(model="maxpool"))
            assert (got.whole, got.account) == (True, name)
        listed = (await it.admin("GET", "/sets")).json
        assert (listed["active"], [one["name"] for one in listed["sets"]]) == (
            "c",
            ["default", "b", "c"],
        )
        by_address = await it.post(ask(model="whatever"), path="/v1/sets/b/v1/messages")
        assert by_address.account == "b"


async def test_a_set_is_changed_renamed_and_deleted():
    async with rig() as it:
        await it.admin("POST", "/sets", {"name": "x", "targets": [f"a/{MODEL}"]})
        changed = await it.admin("PATCH", "/sets/x", {"name": "y", "targets": [f"b/{MODEL}"]})
        assert changed.json["set"]["written"] == [f"b/{MODEL}"]
        assert (await it.admin("GET", "/sets/x")).error == (404, "not_found_error")
        assert (await it.admin("GET", "/sets/y")).json["set"]["kept"] == "made"
        assert (await it.admin("DELETE", "/sets/y")).json["set"]["deleted"]
        assert (await it.post(ask(model="maxpool:y"))).error == (404, "not_found_error")


async def test_what_is_no_set_is_refused():
    async with rig() as it:
        for body in ({"name": "x"}, {"name": "x", "targets": ["m"], "more": 1}):
            assert (await it.admin("POST", "/sets", body)).status == 400
        assert (await it.admin("PATCH", "/sets/default", {})).status == 400
        assert (await it.admin("DELETE", "/sets/default")).status == 409


async def test_explain_tells_the_targets_of_an_alias():
    aliases = {"best": {"targets": [f"b/{MODEL}"], "fallback_targets": [f"c/{MODEL}"]}}
    async with rig(aliases=aliases) as it:
        told = (await it.admin("GET", "/explain?model=best")).json
        assert (told["route"], told["chosen"]) == ("best", "b")
        assert [(t["target"], t["account"], t["chosen"]) for t in told["targets"]][-1] == (
            f"c/{MODEL}",
            "c",
            False,
        )
