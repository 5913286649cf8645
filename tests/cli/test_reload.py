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


async def test_exec_says_which_process_serves_now_and_what_the_old_one_still_does(tmp_path):
    async with rig() as it:

        async def took_over():
            return {"pid": 12, "old_pid": 7, "in_flight": 2, "drain_s": 30.0}

        it.proxy.operator.hand_over = took_over
        result = await run(it, tmp_path, "reload", "--exec")
        assert result.stdout == (
            "Process 12 serves now, process 7 may finish 2 answers within 30 s.\n"
        )


async def test_a_server_that_cannot_be_taken_over_says_why(tmp_path):
    async with rig() as it:
        result = await run(it, tmp_path, "reload", "--exec")
        assert result.exit_code == 1
        assert "ends with the program that started it" in result.stderr
