import json

from tests.cli.operate import run, say
from tests.rig import MODEL, key, plan, rig


async def test_models_are_listed_with_who_serves_them(tmp_path):
    async with rig(plan("p"), key("k")) as it:
        shown = (await run(it, tmp_path, "models")).stdout
        assert "can be served now." in shown.splitlines()[0]
        assert any(line.split()[:1] == [MODEL] for line in shown.splitlines())


async def test_one_model_shows_each_account_and_why_not(tmp_path):
    async with rig(key("a"), key("b")) as it:
        await it.admin("POST", "/accounts/a/disable")
        shown = await run(it, tmp_path, "models", MODEL)
        assert shown.exit_code == 0
        assert "1 of 2 accounts" in shown.stdout
        assert "disabled" in shown.stdout


async def test_a_model_nobody_can_serve_ends_with_its_own_exit_code(tmp_path):
    entries = {"a": {"models": {"x": "x"}}}
    async with rig(key("a"), entries=entries) as it:
        shown = await run(it, tmp_path, "models", "y/z")
        assert shown.exit_code == 4
        assert "No account offers y/z" in shown.stdout
        found = await run(it, tmp_path, "models", "y/z", "--json")
        assert json.loads(found.stdout)["accounts"] == []


def test_without_a_server_it_says_how_to_start_one(tmp_path):
    assert say(tmp_path, "models").exit_code == 3
