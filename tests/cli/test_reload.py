from __future__ import annotations

from tests.cli.operate import run
from tests.rig import rig


async def test_the_config_is_read_again(tmp_path):
    async with rig() as it:
        before = it.proxy.reloader.reloads
        assert (await run(it, tmp_path, "reload")).stdout.strip() == "The config was read again."
        assert it.proxy.reloader.reloads == before + 1


async def test_a_wrong_config_ends_with_1_and_says_that_the_old_one_holds(tmp_path):
    async with rig() as it:

        def broken():
            raise OSError

        it.proxy.reloader.load = broken
        result = await run(it, tmp_path, "reload")
        assert result.exit_code == 1
        assert "earlier one still holds" in result.stderr
