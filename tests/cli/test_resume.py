from __future__ import annotations

import asyncio

from tests.cli.operate import run
from tests.rig import rig, until


async def test_resuming_lets_those_who_wait_go_on(tmp_path):
    async with rig() as it:
        await it.admin("POST", "/pause")
        answer = asyncio.ensure_future(it.post())
        await until(lambda: len(it.proxy.pool.queue))
        result = await run(it, tmp_path, "resume")
        assert result.stdout.strip() == "Requests are served again."
        assert (await answer).whole
