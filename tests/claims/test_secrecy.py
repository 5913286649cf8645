"""A whole maxpool at its most talkative: what it writes holds no secret and no word of anybody's work.

Every secret, prompt and answer of a long run is marked; afterwards each byte that was written by the
server, the commands and their libraries is searched for each mark, in every spelling (O6). The same
run notes where its processes connect (X12).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import secrets
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.sim import faults
from maxpool.sim.faults import CutFault, EndFault, ErrorEventFault, GarbageFault, HeaderFault
from maxpool.sim.plans import SimAccount
from maxpool.sim.problems import Problem
from maxpool.sim.upstream import SimUpstream
from tests.claims.test_operations import ROOT, Running
from tests.claims.watched import BREAK
from tests.cli.terminals import typing_program
from tests.logins import VAULT_KEY, as_person, visit
from tests.rig import CLAUDE_CODE, Rig, ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.slow

KINDS = (
    *("prompt", "system", "tool", "input", "answer", "body", "header", "query", "cookie", "file"),
    *(
        "name",
        "status",
        "own",
        "client",
        "wrong",
        "guess",
        "env",
        "filed",
        "given",
        "proxy",
        "typed",
    ),
)


@dataclass
class Story:
    """A folder, a simulated provider, a proxy on the way to nowhere, and a mark for every secret."""

    folder: Path
    form: str
    marks: dict[str, str] = field(default_factory=lambda: {k: f"zq{k}{_token()}" for k in KINDS})
    asked_proxy: list[bytes] = field(default_factory=list)
    proxy_port: int = 0
    told: list[str] = field(default_factory=list)  # what commands and terminals showed

    def __post_init__(self) -> None:
        prefix = "sk-ant-api03-"
        self.people = [
            SimAccount("a", prefix + self.marks["env"], "api"),
            SimAccount("b", prefix + self.marks["filed"], "api"),
            SimAccount("c", prefix + self.marks["given"], "api"),
            SimAccount("d", prefix + self.marks["typed"], "api"),
            SimAccount("juniper", f"sk-ant-oat01-{_token()}", "max_20x"),
            SimAccount("mine", f"sk-ant-oat01-{self.marks['own']}", "max_20x"),
        ]
        self.sim = SimUpstream(self.people)
        self.upstream = Server(self.sim.app, graceful_s=0.0)

    @property
    def admin_key(self) -> str:
        return (self.folder / "state" / "admin.key").read_text().strip()

    @property
    def environment(self) -> dict[str, str]:
        """Of every process: nothing of the machine's own but its path to programs."""
        proxy = f"http://me:{self.marks['proxy']}@127.0.0.1:{self.proxy_port}"
        home = str(self.folder)
        return {
            "PATH": os.environ["PATH"],
            **dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"), home),
            **dict.fromkeys(("TMPDIR", "XDG_DATA_HOME", "CLAUDE_CONFIG_DIR"), home),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "BROWSER": "none",
            "MAXPOOL_CONFIG": f"{home}/maxpool.toml",
            "MAXPOOL_HOME": f"{home}/state",
            "MAXPOOL_SECRET_KEY": VAULT_KEY,
            "WATCHED_TO": f"{home}/connections",
            "HTTPS_PROXY": proxy,
            "NO_PROXY": "127.0.0.1,localhost",
            "SECRET_A": self.people[0].secret,
            "SECRET_FAR": f"sk-{self.marks['guess']}",
            "CLIENT_KEY": f"mpk-{self.marks['client']}",
        }

    def write_config(self, more: str = "") -> None:
        url = self.upstream.url
        (self.folder / "secret-b").write_text(self.people[1].secret)
        (self.folder / "secret-b").chmod(0o600)
        text = f"""
            [server]
            port = 0
            require_key = true
            [upstream]
            base_url = "{url}"
            network_budget = "1s"
            [pool]
            client_login = "first"
            spill = ["api_key"]
            [queue]
            max_wait = "200ms"
            [secrets]
            store = "file"
            [logging]
            level = "debug"
            format = "{self.form}"
            [oauth.demo]
            authorize_url = "{url}/oauth/authorize"
            token_url = "{url}/v1/oauth/token"
            revoke_url = "{url}/v1/oauth/token/revoke"
            profile_url = "{url}/api/oauth/profile"
            usage_url = "{url}/api/oauth/usage"
            client_id = "maxpool-demo"
            token_body = "json"
            [[client_keys]]
            name = "laptop"
            key = "env:CLIENT_KEY"
            [[accounts]]
            name = "a"
            secret = "env:SECRET_A"
            [[accounts]]
            name = "b"
            secret = "file:secret-b"
            priority = 1
            [[accounts]]
            name = "far"
            secret = "env:SECRET_FAR"
            base_url = "https://far.invalid"
            priority = 2
            {more}"""
        (self.folder / "maxpool.toml").write_text(re.sub(r"(?m)^ +", "", text))

    async def start(self) -> asyncio.subprocess.Process:
        with (self.folder / f"stderr.{self.form}").open("ab") as errors:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.claims.watched", "serve"),
                env=self.environment,
                cwd=self.folder,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )

    async def command(self, *arguments: str, given: str = "", kept: bool = True) -> str:
        """Run a command; what it said. `kept`: that must hold no secret."""
        own = arguments[0] == "demo"  # a world of its own, with ports of its own
        noted = {"WATCHED_TO": f"{self.folder}/connections.demo"} if own else {}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.claims.watched", *arguments),
            env=self.environment | noted,
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate(given.encode())
        if kept:
            self.told.append(f"$ {' '.join(arguments)}\n{out.decode()}")
        assert b"failed in a way of its own" not in out, (arguments, out)
        return out.decode()


def _token() -> str:
    return secrets.token_hex(12)


@asynccontextmanager
async def told(folder: Path, form: str) -> AsyncIterator[tuple[Story, Rig, Running]]:
    """A story with a running server in it, and a client of that server."""
    story = Story(folder, form)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        story.asked_proxy.append(await reader.readuntil(b"\r\n\r\n"))
        body = story.marks["body"].encode()
        writer.write(b"HTTP/1.1 407 No\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    story.proxy_port = proxy.sockets[0].getsockname()[1]
    await story.upstream.start()
    story.write_config()
    running = await Running(await story.start()).ready()
    client = HttpUpstream()

    class Address:
        url = running.url

    try:
        yield story, Rig(story.sim, None, Address, None, client), running  # type: ignore[arg-type]
    finally:
        await client.aclose()
        if running.process.returncode is None:
            running.process.kill()
        await story.upstream.stop(0.0)
        proxy.close()


# -- what happens ----------------------------------------------------------------------------------


def conversation(marks: dict[str, str], *, stream: bool, model: str = "claude-sonnet-5-5") -> bytes:
    """A request full of marks."""
    used = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": marks["input"]}}
    return ask(
        stream=stream,
        model=model,
        system=[{"type": "text", "text": marks["system"]}],
        tools=[{"name": "read", "description": marks["tool"], "input_schema": {"type": "object"}}],
        messages=[
            {"role": "user", "content": f"{marks['prompt']} of {marks['name']}"},
            {"role": "assistant", "content": [{"type": "text", "text": marks["answer"]}, used]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": marks["file"]}
                ],
            },
        ],
    )


def troubles(body: str, odd: str) -> list[faults.Fault | None]:
    """Every class of failure, in the upstream's own words and in its headers."""
    problem = Problem(status=529, kind="overloaded_error", message=body)
    codes = (400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 503, 529)
    return [
        None,
        *(faults.status(code, body, headers=(("x-odd", odd),)) for code in codes),
        faults.bad_request(body.encode()),
        faults.revoked(),
        faults.organization_disabled(),
        faults.redirect(f"https://elsewhere.invalid/{body}"),
        *(ErrorEventFault(problem=problem, after=after) for after in (0, "delta")),
        *(CutFault(after=None), CutFault(after="delta"), EndFault(after="delta")),
        *(GarbageFault(kind=k) for k in ("html", "empty", "broken_json", "truncated_gzip")),
        HeaderFault(headers=(("retry-after", odd), ("anthropic-ratelimit-unified-status", odd))),
        HeaderFault(headers=((BREAK, odd),)),
    ]


class Person:
    """Somebody with the keys, at work."""

    def __init__(self, story: Story, rig: Rig) -> None:
        self.story, self.rig, self.marks = story, rig, story.marks
        self.key = {"x-maxpool-key": f"mpk-{self.marks['client']}"}
        self.answers: list[bytes] = []

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        return await self.rig.admin(
            method, path, body, **{"x-maxpool-admin-key": self.story.admin_key}
        )

    async def works(self) -> None:
        """Requests under every trouble there is, with a key and under an own login."""
        own = {"authorization": f"Bearer sk-ant-oat01-{self.marks['own']}", **CLAUDE_CODE}
        for trouble in troubles(self.marks["body"], self.marks["header"]):
            if trouble is not None:
                self.rig.sim.inject(trouble, None, times=4)
            asked = [
                self.rig.post(
                    conversation(self.marks, stream=stream),
                    headers={**self.key, "cookie": self.marks["cookie"], **more},
                )
                for more in ({}, own)
                for stream in (True, False)
            ]
            self.answers += [got.body for got in await asyncio.gather(*asked)]
            self.rig.sim.clear_faults()
            for account in (await self.admin("GET", "/accounts")).json["accounts"]:
                for action in ("enable", "reset"):
                    await self.admin("POST", f"/accounts/{account['id']}/{action}", {})

    async def goes_astray(self) -> None:
        """Wrong keys, odd paths, broken bodies, files and batches."""
        marks = self.marks
        for wrong in ({"x-api-key": marks["wrong"]}, {"authorization": f"Basic {marks['wrong']}"}):
            assert (await self.rig.post(headers=wrong)).status == 401
        refused = await self.rig.get("/admin/accounts", {"x-maxpool-admin-key": marks["wrong"]})
        assert refused.status == 401
        await self.rig.get(f"/v1/{marks['query']}?q={marks['query']}", self.key)
        await self.rig.post(
            b'{"model": "' + marks["prompt"].encode() + b'" broken', headers=self.key
        )
        await self.rig.post(
            marks["prompt"].encode(), headers={**self.key, "content-encoding": "br"}
        )
        boundary = {"content-type": "multipart/form-data; boundary=x", **self.key}
        part = f'--x\r\ncontent-disposition: form-data; name="file"; filename="{marks["name"]}"\r\n\r\n'
        await self.rig.post(f"{part}{marks['file']}\r\n--x--\r\n".encode(), "/v1/files", boundary)
        params = json.loads(conversation(marks, stream=False))
        batch = {"requests": [{"custom_id": marks["name"], "params": params}]}
        await self.rig.post(json.dumps(batch).encode(), "/v1/messages/batches", self.key)
        far = {**self.key, "x-maxpool-account": "far", "x-maxpool-max-wait": "0"}
        assert (await self.rig.post(conversation(marks, stream=True), headers=far)).status >= 500
        client = HttpUpstream()
        self.rig.client, usual = client, self.rig.client
        sending = asyncio.ensure_future(
            self.rig.open("POST", "/v1/messages", far | self.key, ask())
        )
        await asyncio.sleep(0)
        sending.cancel()
        self.rig.client = usual
        await client.aclose()

    async def breaks_it(self) -> None:
        """Failures inside maxpool itself, whose exceptions quote all they can reach."""
        path = f"/sessions/{BREAK}-{self.marks['query']}/move"
        assert (await self.admin("POST", path, {"account": self.marks["query"]})).status == 500
        self.story.write_config(f'headers = {{ {BREAK} = "{self.marks["header"]}" }}')
        async with asyncio.timeout(20):
            while "applied only in part" not in str(await self.status()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        self.story.write_config()

    async def status(self) -> Any:
        return (await self.rig.get("/status", self.key)).json

    async def administers(self) -> None:
        """What a person asks and changes over HTTP."""
        given = {"name": "c", "secret": self.story.people[2].secret}
        assert (await self.admin("POST", "/accounts", given)).status == 201
        await self.rig.post(headers={**self.key, "x-maxpool-account": "c"})
        found = (await self.admin("GET", "/decisions")).json["decisions"]
        seen = [json.dumps(found), json.dumps(await self.status())]
        paths = ("/accounts", "/sessions", "/keys", "/probes", "/explain?model=claude-opus-4-8")
        for path in (*paths, f"/decisions/{found[0]['request_id']}"):
            seen += [(await self.admin("GET", path)).body.decode()]
        for path in ("/", "/status"):
            page = await self.rig.get(path, {**self.key, "accept": "text/html"})
            seen += [page.body.decode()]
        self.story.told += seen

    async def commands(self) -> None:
        """The same by commands, and the demo."""
        typed = self.story.people[3].secret
        await self.story.command("login", "d", "--api-key", "--stdin", given=typed)
        said = {"session_id": "s", "transcript_path": self.marks["file"], "cwd": self.marks["name"]}
        for arguments, given_text in (
            *((("status",), ""), (("status", "--json"), ""), (("accounts", "show", "a"), "")),
            *((("sessions",), ""), (("config", "show"), ""), (("config", "show", "--json"), "")),
            *((("explain", await self.latest()), ""), (("keys", "list"), ""), (("reload",), "")),
            *((("secrets", "where"), ""), (("--debug", "accounts", "show", "nobody"), "")),
            *((("env",), ""), (("statusline",), json.dumps(said))),
            *(
                (("demo", "--once", "--no-traffic", "--port", "0"), ""),
                (("accounts", "--json"), ""),
            ),
        ):
            await self.story.command(*arguments, given=given_text)

    async def latest(self) -> str:
        """A request, to be explained."""
        found: str = (await self.admin("GET", "/decisions")).json["decisions"][0]["request_id"]
        return found

    async def signs_in(self) -> None:
        """A login by browser, used, refreshed, refused at the provider, and ended."""
        code = (
            "import runpy, sys; sys.argv = ['', 'login', 'work', '--oauth', 'demo']; "
            "runpy.run_module('tests.claims.watched', run_name='__main__')"
        )
        folder = self.story.folder
        with typing_program(code, env=self.story.environment, cwd=folder) as it:
            await asyncio.to_thread(it.until, "address (hidden): ")
            found = re.search(r"http://\S+/oauth/authorize\S+", it.seen)
            assert found is not None
            await visit(as_person(found[0], "juniper"))
            assert await asyncio.to_thread(it.end) == 0, it.seen
        self.story.told.append(it.seen)
        (work,) = [a for a in (await self.status())["accounts"] if a["name"] == "work"]
        at_work = {**self.key, **CLAUDE_CODE, "x-maxpool-account": "work"}
        assert (await self.rig.post(headers=at_work)).whole
        renewed = await self.admin("POST", f"/accounts/{work['id']}/refresh", {})
        assert renewed.status == 200, renewed.body
        await self.admin("POST", f"/accounts/{work['id']}/probe", {})
        self.rig.sim.oauth.revoke_person("juniper")
        await self.rig.post(headers=at_work)
        await self.admin("POST", f"/accounts/{work['id']}/refresh", {})
        await self.story.command("logout", "work", "--yes")


# -- what is written -------------------------------------------------------------------------------


def spellings(secret: str) -> set[bytes]:
    """How a secret may be written: as it is, in hex, and in base64 wherever it begins."""
    raw = secret.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), raw[::-1]}
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + raw)
        inner = coded[4 if lead else 0 : -4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def essence(secret: str) -> str:
    """The part of a secret that nobody else has: no prefix, and less than the whole of it."""
    return secret[-20:-2]


def written(story: Story, running: Running) -> dict[str, bytes]:
    """Every byte that is there after the run, by where it is."""
    found = {
        str(path.relative_to(story.folder)): path.read_bytes()
        for path in story.folder.rglob("*")
        if path.is_file()
    }
    found["stdout"] = running.said.encode()
    return found | {f"told {n}": text.encode() for n, text in enumerate(story.told)}


RESTS = {("state/admin.key", "admin key"), ("secret-b", "filed")}
"""Where secrets are meant to be in plain: the admin key's own file, and one that the user keeps."""


@pytest.mark.parametrize("form", ["text", "json"])
async def test_no_byte_that_is_written_holds_a_secret_or_a_word_of_anybodys_work(
    tmp_path, form
):  # O6, X12
    async with told(tmp_path, form) as (story, rig, running):
        person = Person(story, rig)
        await person.works()
        await person.goes_astray()
        await person.administers()
        if form == "text":  # they take long, and know nothing of the server's log
            await person.commands()
        await person.signs_in()
        made = await story.command("keys", "add", "desk", kept=False)
        await person.breaks_it()
        held = {**story.marks, "admin key": story.admin_key}
        held["made"] = next(line for line in made.splitlines() if line.startswith("mpk-"))
        assert await running.end() == 0
    tokens = [*story.sim.oauth.accesses, *story.sim.oauth.refreshes, *story.sim.oauth.codes]
    assert len(tokens) >= 4
    held |= {f"token {n}": token for n, token in enumerate(tokens)}
    texts = {w for body in person.answers for w in re.findall(rb'"text":"([^"]{40,})"', body)}
    assert texts, "answers were given"
    held |= {f"answer {n}": text.decode() for n, text in enumerate(texts)}
    assert any(b"Basic" in head for head in story.asked_proxy), "the proxy was asked, with its key"
    files = written(story, running)
    wanted = {kind: spellings(essence(secret)) for kind, secret in held.items()}
    password = base64.b64encode(f"me:{story.marks['proxy']}".encode())
    wanted["proxy authorization"] = {password, password[4:-4]}
    leaks = {
        (where, kind)
        for where, data in files.items()
        for kind, forms in wanted.items()
        if any(one in data for one in forms)
    }
    assert leaks == RESTS
    log = files[f"stderr.{form}"].decode()
    check_log(log, form)
    ours = {
        story.proxy_port,
        *(int(u.rpartition(":")[2]) for u in (story.upstream.url, running.url)),
    }
    assert reached(files["connections"]) == {("127.0.0.1", port) for port in ours}
    assert {host for host, _ in reached(files.get("connections.demo", b""))} <= {"127.0.0.1"}


def check_log(log: str, form: str) -> None:
    """The run was what it claims to be, and failures inside are told by kind and place."""
    assert "zq" not in log
    assert log.count("RuntimeError") >= 3
    for place in ("observing", "finding", "settling"):
        assert place in log
    if form == "json":
        levels = {json.loads(line)["level"] for line in log.splitlines()}
        assert {"debug", "info", "warning", "error"} >= levels
        assert {"info", "warning", "error"} <= levels


LINKERS = {"ldconfig", "gcc", "cc", "ld", "objdump"}
"""What `ctypes` of the standard library runs to find a shared library of this machine."""


def reached(noted: bytes) -> set[tuple[str, int]]:
    """Where processes connected to. They asked for no other name, and started nothing."""
    events = [json.loads(line) for line in noted.splitlines()]
    started = [
        told for event, told in events if event not in ("socket.connect", "socket.getaddrinfo")
    ]
    assert {os.path.basename(program) for program in started} <= LINKERS
    assert {told for event, told in events if event == "socket.getaddrinfo"} <= {"127.0.0.1", None}
    return {(told[0], told[1]) for event, told in events if event == "socket.connect"}
