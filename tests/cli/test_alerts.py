from __future__ import annotations

import json

from maxpool.core.lease import CredentialChange
from tests.cli.operate import run
from tests.rig import rig
from tests.service.test_delivery import posting


async def test_what_is_wrong_is_listed_with_the_targets(tmp_path):
    async with posting() as far, rig(alerts={"targets": {"phone": far.url}}) as it:
        well = await run(it, tmp_path, "alerts")
        assert "Nothing is wrong by 9 rules." in well.stdout
        one = next(iter(it.proxy.pool.states))
        it.proxy.pool.credential(one, CredentialChange("dead"), it.proxy.clock.now())
        await it.proxy.alerting.tick()
        shown = (await run(it, tmp_path, "alerts", "list")).stdout
        assert "login-dead" in shown
        assert "phone" in shown
        assert "Nothing is wrong" not in shown


async def test_without_targets_it_says_where_they_are_named(tmp_path):
    async with rig() as it:
        shown = await run(it, tmp_path, "alerts")
        assert "[alerts] targets" in shown.stdout
        assert shown.exit_code == 0


async def test_a_target_is_tested_and_a_wrong_one_is_said(tmp_path):
    async with posting() as far, rig(alerts={"targets": {"phone": far.url}}) as it:
        assert "was taken" in (await run(it, tmp_path, "alerts", "test", "phone")).stdout
        assert len(far.receiver.got) == 1
        wrong = await run(it, tmp_path, "alerts", "test", "pager")
        assert wrong.exit_code == 1


async def test_a_silence_is_asked_for_in_words_and_shown(tmp_path):
    async with rig() as it:
        made = await run(it, tmp_path, "alerts", "silence", "2h", "--account", "max-*", "--json")
        (one,) = json.loads(made.stdout)["silences"]
        assert one["account"] == "max-*"
        assert 7100 < one["until"] - it.proxy.clock.now() <= 7200
        assert "max-*" in (await run(it, tmp_path, "alerts")).stdout
        assert (await run(it, tmp_path, "alerts", "silence", "soon")).exit_code != 0
