from __future__ import annotations

import json

from tests.cli.operate import run
from tests.rig import rig


async def test_a_pause_is_said_and_holds(tmp_path):
    async with rig() as it:
        result = await run(it, tmp_path, "pause")
        assert result.exit_code == 0
        assert "`maxpool resume` goes on" in result.stdout
        assert it.proxy.pool.paused
        assert json.loads((await run(it, tmp_path, "pause", "--json")).stdout)["paused"] is True
