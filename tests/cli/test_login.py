"""`maxpool login` as a person and as a script runs it: real processes, real terminals (ptys)."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from maxpool.cli.login_view import NOTICE_DATE
from tests.cli.terminals import typing
from tests.logins import as_person, command, entries, kept, pasted, visit, world
from tests.rig import key, plan

pytestmark = pytest.mark.slow

CONSOLE = key("console")
TOKEN = plan("juniper")
OTHER = plan("marlow")


async def test_a_key_comes_through_stdin_and_shows_nowhere(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        done = await command("login", "console", "--api-key", "--stdin", given=CONSOLE.secret)
        assert done.code == 0, done.err
        assert done.out.splitlines()[0] == "console is added (API key)."
        assert done.out.splitlines()[-1] == "Next: maxpool serve"
        assert CONSOLE.secret not in done.out + done.err + one.config.read_text()
        stored = kept(one, "console")
        assert stored is not None
        assert (stored.secret, stored.origin) == (CONSOLE.secret, one.upstream_url)


async def test_json_is_all_there_is_on_stdout(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, TOKEN) as one:
        asked = ("login", "max", "--stdin", "--accept-terms", "--plan", "max_20x", "--json")
        done = await command(*asked, given=TOKEN.secret)
        data = json.loads(done.out)
        entry = entries(one)["max"]
        assert (data["id"], data["kind"], data["verified"]) == (entry.id, "subscription", True)
        assert (data["renewed"], data["server"]) == (False, "not running")
        assert entry.terms_accepted is not None
        assert str(NOTICE_DATE) in done.err


async def test_a_script_must_say_yes_to_the_notice_and_only_once(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, TOKEN, OTHER) as one:
        done = await command("login", "max", "--stdin", given=TOKEN.secret)
        assert done.code == 2
        assert "--accept-terms" in done.err
        assert entries(one) == {}
        assert (
            await command("login", "max", "--stdin", "--accept-terms", given=TOKEN.secret)
        ).code == 0
        assert (await command("login", "max2", "--stdin", given=OTHER.secret)).code == 0


async def test_a_refused_key_is_not_stored(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        done = await command("login", "x", "--api-key", "--stdin", given="sk-ant-api03-wrong")
        assert done.code == 1
        assert "not stored" in done.err
        assert entries(one) == {}


async def test_without_a_network_a_key_is_kept_and_called_not_verified(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        done = await command(
            *("login", "x", "--api-key", "--stdin", "--base-url", "http://127.0.0.1:9"),
            given=CONSOLE.secret,
        )
        assert done.code == 0
        assert "Not verified: it could not be reached" in done.out
        assert kept(one, "x") is not None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--api-key", "--home"), "exclude each other"),
        (("--provider", "http://127.0.0.1:9", "--base-url", "http://127.0.0.1:9"), "already"),
        (("--no-key",), "--provider"),
        (("--config-dir", "x"), "--home"),
        (("--api-key", "--timeout", "soon"), "5m"),
        (("--api-key",), "--stdin"),  # nobody to ask
        (("--home",), ""),
        (("--oauth", "unknown"), "unknown"),
    ],
)
async def test_wrong_usage_ends_with_2_and_what_to_write(tmp_path, monkeypatch, arguments, says):
    async with world(tmp_path, monkeypatch):
        done = await command("login", "x", *arguments)
        assert done.code == 2, done.err
        assert says in done.err


async def test_another_programs_credentials_are_refused(tmp_path, monkeypatch):  # T11
    async with world(tmp_path, monkeypatch) as one:
        foreign = json.dumps({"claudeAiOauth": {"refreshToken": "sk-ant-ort01-theirs"}}, indent=2)
        done = await command("login", "x", "--stdin", "--accept-terms", given=foreign)
        assert done.code == 1
        assert "another program" in done.err
        assert "claude setup-token" in done.err.splitlines()[-1]
        assert "theirs" not in done.err
        assert entries(one) == {}


async def test_a_local_service_needs_no_key(tmp_path, monkeypatch):
    local = key("local")
    async with world(tmp_path, monkeypatch, local.__class__("local", "", "provider")) as one:
        url = one.upstream_url
        done = await command("login", "local", "--provider", url, "--no-key", "--json")
        assert (done.code, json.loads(done.out)["verified"]) == (0, True)
        assert entries(one)["local"].auth_header == "none"
        assert json.loads(done.out)["secret_in"] is None


# -- at a terminal -------------------------------------------------------------------------------


async def test_the_notice_is_asked_and_a_no_changes_nothing(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, TOKEN) as one:

        def hands() -> tuple[int, str]:
            with typing("login", "max", env={"PATH": "/bin"}, cwd=tmp_path) as it:
                it.until("[y/N]: ")
                it.type("n\n")
                return it.end(), it.seen

        code, seen = await asyncio.to_thread(hands)
        assert (code, "Nothing was changed" in seen) == (1, True)
        assert entries(one) == {}


async def test_a_token_is_pasted_unseen_and_a_wrong_one_asked_again(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, TOKEN) as one:

        def hands() -> tuple[int, str]:
            with typing("login", "max", env={"PATH": "/bin"}, cwd=tmp_path) as it:
                it.until("[y/N]: ")
                it.type("y\n")
                it.until("npm install -g @anthropic-ai/claude-code")
                it.answer("Token (hidden): ", f"{CONSOLE.secret}\n")
                it.until("--api-key")
                it.answer("Token (hidden): ", f"{TOKEN.secret[:30]}\n{TOKEN.secret[30:]}\n")
                return it.end(), it.seen

        code, seen = await asyncio.to_thread(hands)
        assert code == 0, seen
        assert "max is added (subscription)." in seen
        assert TOKEN.secret[:30] not in seen
        assert CONSOLE.secret not in seen
        stored = kept(one, "max")
        assert stored is not None
        assert stored.secret == TOKEN.secret


async def test_claude_makes_the_token_in_the_persons_own_terminal(tmp_path, monkeypatch):
    official = tmp_path / "claude"
    official.write_text(
        f'#!/bin/sh\ntest -t 0 && test -t 1 || exit 9\necho "$1 prints: {TOKEN.secret}"\n'
    )
    official.chmod(0o700)
    async with world(tmp_path, monkeypatch, TOKEN) as one:

        def hands() -> tuple[int, str]:
            asked = ("login", "max", "--accept-terms")
            with typing(*asked, env={"MAXPOOL_CLAUDE": str(official)}, cwd=tmp_path) as it:
                it.until("setup-token prints: ")
                it.answer("Token (hidden): ", f"{TOKEN.secret}\n")
                return it.end(), it.seen

        code, seen = await asyncio.to_thread(hands)
        assert code == 0, seen
        assert seen.count(TOKEN.secret) == 1  # as the official program printed it
        assert kept(one, "max") is not None


async def test_a_browser_on_this_machine_ends_the_question(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, TOKEN) as one:
        with typing("login", "work", "--oauth", "demo", env={}, cwd=tmp_path) as it:
            await asyncio.to_thread(it.until, "address (hidden): ")
            await visit(as_person(address_in(it.seen), "juniper"))
            assert await asyncio.to_thread(it.end) == 0
        assert "work is added (OAuth login)." in it.seen
        assert kept(one, "work") is not None


async def test_a_browser_elsewhere_is_answered_by_paste(tmp_path, monkeypatch):  # T10
    async with world(tmp_path, monkeypatch, TOKEN) as one:
        asked = ("login", "work", "--oauth", "demo", "--paste")
        with typing(*asked, env={}, cwd=tmp_path) as it:
            await asyncio.to_thread(it.answer, "address (hidden): ", "code#of-another-sign-in\n")
            code = await pasted(address_in(it.seen), "juniper")
            await asyncio.to_thread(it.answer, "address (hidden): ", f"{code}\n")
            assert await asyncio.to_thread(it.end) == 0
        assert "another sign-in" in it.seen
        assert code.partition("#")[0] not in it.seen
        assert kept(one, "work") is not None


async def test_a_subscriptions_token_from_a_sign_in_brings_the_notice_too(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, TOKEN) as one:
        asked = ("login", "work", "--oauth", "demo", "--paste", "--base-url", "https://far.example")
        with typing(*asked, env={}, cwd=tmp_path) as it:
            await asyncio.to_thread(it.until, "address (hidden): ")
            code = await pasted(address_in(it.seen), "juniper")
            it.type(f"{code}\n")
            await asyncio.to_thread(it.until, "[y/N]: ")
            it.type("n\n")
            assert await asyncio.to_thread(it.end) == 1
        assert str(NOTICE_DATE) in it.seen
        assert entries(one) == {}


async def test_ctrl_c_ends_a_sign_in_and_leaves_a_terminal_that_shows_what_is_typed(
    tmp_path, monkeypatch
):
    import termios

    async with world(tmp_path, monkeypatch, TOKEN) as one:

        def hands() -> tuple[int, str, int]:
            with typing("login", "work", "--oauth", "demo", env={}, cwd=tmp_path) as it:
                it.answer("address (hidden): ", "half a co\x03")
                return it.end(), it.seen, termios.tcgetattr(it.hands)[3]

        code, seen, flags = await asyncio.to_thread(hands)
        assert (code, "half a co" in seen, "Traceback" in seen) == (1, False, False)
        assert flags & termios.ECHO
        assert entries(one) == {}


async def test_nobody_signing_in_ends_with_1(tmp_path, monkeypatch):  # T10
    async with world(tmp_path, monkeypatch, TOKEN) as one:
        done = await command("login", "work", "--oauth", "demo", "--timeout", "0.2s")
        assert done.code == 1
        assert "nobody signed in" in done.err
        assert address_in(done.err)
        assert entries(one) == {}


async def test_a_script_reads_the_code_from_a_pipe(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, TOKEN) as one:
        done = await command("login", "work", "--oauth", "demo", "--paste", given="code#wrong\n")
        assert done.code == 1
        assert "another sign-in" in done.err
        assert entries(one) == {}


async def test_a_missing_client_is_told_before_anybody_reads_the_notice(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        monkeypatch.delenv("MAXPOOL_CLAUDE", raising=False)

        def hands() -> tuple[int, str]:
            with typing("login", "mine", "--home", env={"PATH": "/none"}, cwd=tmp_path) as it:
                return it.end(), it.seen

        code, seen = await asyncio.to_thread(hands)
        assert (code, entries(one)) == (1, {})
        assert seen.startswith("Error: Claude Code is not installed here")


async def test_a_home_is_signed_in_by_its_own_client(tmp_path, monkeypatch):
    official = tmp_path / "claude"
    official.write_text(
        '#!/bin/sh\nif [ "$2" = status ]; then test -e "$CLAUDE_CONFIG_DIR/in" && echo \'{"loggedIn":true}\''
        ' || echo \'{"loggedIn":false}\'; exit; fi\necho sign in here; touch "$CLAUDE_CONFIG_DIR/in"\n'
    )
    official.chmod(0o700)
    async with world(tmp_path, monkeypatch) as one:

        def hands() -> tuple[int, str]:
            asked = ("login", "mine", "--home", "--accept-terms")
            with typing(*asked, env={"MAXPOOL_CLAUDE": str(official)}, cwd=tmp_path) as it:
                return it.end(), it.seen

        code, seen = await asyncio.to_thread(hands)
        assert code == 0, seen
        assert "mine is added (home)." in seen
        entry = entries(one)["mine"]
        assert (entry.kind, entry.terms_accepted is not None) == ("home", True)


def address_in(text: str) -> str:
    found = re.search(r"http://\S+/oauth/authorize\S+", text)
    assert found is not None, text
    return found[0]
