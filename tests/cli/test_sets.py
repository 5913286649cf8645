from __future__ import annotations

import json

from tests.cli.operate import run
from tests.rig import MODEL, rig


async def test_sets_are_made_used_renamed_and_deleted(tmp_path):
    async with rig() as it:
        made = await run(
            it, tmp_path, "sets", "create", "night", f"b/{MODEL}", "--strategy", "ordered"
        )
        assert "maxpool:night" in made.stdout
        assert (
            "maxpool means the set night"
            in (await run(it, tmp_path, "sets", "use", "night")).stdout
        )
        listed = (await run(it, tmp_path, "sets")).stdout
        assert "night" in listed
        assert f"b/{MODEL}" in listed
        assert "ordered, in use" in (await run(it, tmp_path, "sets", "show", "night")).stdout
        renamed = await run(it, tmp_path, "sets", "rename", "night", "late")
        assert renamed.stdout.strip() == "The set night is called late now."
        assert (await run(it, tmp_path, "sets", "delete", "late")).exit_code == 0
        told = json.loads((await run(it, tmp_path, "sets", "list", "--json")).stdout)
        assert (told["active"], len(told["sets"])) == ("default", 1)


async def test_what_cannot_serve_and_what_is_not_there_is_said(tmp_path):
    async with rig(entries={"c": {"models": {"small": "small-1"}}}) as it:
        made = await run(it, tmp_path, "sets", "create", "odd", "c/gone", f"b/{MODEL}")
        assert "c/gone is stale: passed over." in made.stdout
        missing = await run(it, tmp_path, "sets", "use", "nothing")
        assert missing.exit_code == 1
        assert "There is no set 'nothing'" in missing.stderr
        wrong = await run(it, tmp_path, "sets", "--json", "use", "odd")
        assert "Write options behind use" in wrong.stderr
