"""Who may talk to the server, and what it never lets through (X1, X2, X3, X5, X9)."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.config.model import Config
from maxpool.errors import BindError
from maxpool.ports import Secret
from maxpool.sim import faults
from maxpool.web.guard import is_admin, rules_of
from tests.adapters.peers import peer
from tests.rig import ADMIN_KEY, JSON, Rig, ask, key, request_bytes, rig, until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIGEST = hashlib.sha256(b"the-client-key").hexdigest()
KEYS = [{"name": "laptop", "sha256": DIGEST}]
BODIES = ("POST", "PUT", "PATCH")
WRITES = (*BODIES, "DELETE")
OTHERS = [
    *(("POST", path) for path in ("/v1/messages", "/v1/messages/count_tokens", "/v1/complete")),
    *(("POST", path) for path in ("/v1/chat/completions", "/v1/responses", "/route")),
    *(
        (method, path)
        for path in ("/v1/files", "/v1/messages/batches")
        for method in ("GET", "POST")
    ),
    *(
        ("GET", "/nowhere"),
        ("POST", "/nowhere"),
        ("GET", "/admin/nowhere"),
        ("POST", "/v1/nowhere"),
    ),
    *(("PUT", "/v1/messages"), ("PATCH", "/v1/messages"), ("OPTIONS", "/v1/messages")),
]
"""What stands beside the framework's routing table."""

ENDLESS = frozenset({"/events"})
"""An answer that never ends lets nothing come behind it on a connection: its guard has a test of its own."""

HOSTS = ["{own}", "LOCALHOST:1", "evil.example", "127.0.0.1.evil.example", "127.0.0.1.", ""]
PAGES = [
    None,
    "http://{own}",
    "https://tool.example",
    "https://evil.example",
    "null",
    "http://localhost:2",
]
SITES = [None, "none", "cross-site"]
KINDS = ["application/json", "text/plain", "application/x-www-form-urlencoded", None]


def routes(it: Rig) -> list[tuple[str, str]]:
    """Every route there is: a new one is in here by itself."""
    switch: Any = it.proxy.app.app
    found = [
        (method, re.sub(r"{[^}]+}", "x", route.path))
        for route in switch.app.routes
        if route.path not in ENDLESS
        for method in sorted(route.methods)
    ]
    assert len(found) > 40
    assert {path for _, path in OTHERS} >= set(switch.direct)
    return [*found, *OTHERS]


async def statuses(it: Rig, wires: Sequence[bytes]) -> list[int]:
    """Send requests one behind the other on one connection; the statuses of the answers."""
    client = await it.connect()
    end = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
    sending = asyncio.ensure_future(client.send(b"".join((*wires, end))))
    got = re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", await client.rest())
    await sending
    client.close()
    assert len(got) == len(wires) + 1
    return [int(status) for status in got[:-1]]


def wire(method: str, path: str, fields: Mapping[str, str | None]) -> bytes:
    sent = {"content-length": "2", **fields} if method in WRITES else dict(fields)
    head = "".join(f"{n}: {v}\r\n" for n, v in sent.items() if v is not None)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{'{}' if method in WRITES else ''}".encode()


def refused(method: str, case: Sequence[str | None]) -> int | None:
    """What the rules say of it: the status of the refusal, None for what is let in."""
    host, page, site, kind = case
    if host not in HOSTS[:2]:
        return 403
    if page is None and site == "cross-site":
        return 403
    if page is not None and (page, host) != (PAGES[1], HOSTS[0]) and page != PAGES[2]:
        return 403
    return 415 if method in BODIES and kind != KINDS[0] else None


async def test_every_route_checks_host_origin_site_and_type_alike():  # X1
    server = {"allowed_origins": ["https://tool.example"], "allowed_paths": ["/v1/complete"]}
    async with rig(server=server) as it:
        own = it.url.removeprefix("http://")
        cases = list(itertools.product(HOSTS, PAGES, SITES, KINDS))
        for method, path in routes(it):
            kept = [c for c in cases if method in BODIES or c[3] == KINDS[0]]
            told = [[part and part.format(own=own) for part in case] for case in kept]
            names = ("host", "origin", "sec-fetch-site", "content-type")
            got = await statuses(
                it, [wire(method, path, dict(zip(names, c, strict=True))) for c in told]
            )
            for case, status in zip(kept, got, strict=True):
                wanted = refused(method, case)
                right = status not in (403, 415) if wanted is None else status == wanted
                assert right, (method, path, case, status)
            let_in = sum(refused(method, case) is None for case in kept)
            assert len(it.sim.requests) <= 3 * let_in, "a listing asks three accounts"
            it.sim.requests.clear()


SHOWN: list[dict[str, str]] = [
    {},
    {"x-api-key": "the-client-key"},
    {"authorization": "Bearer the-client-key"},
    {"x-maxpool-key": ADMIN_KEY},
    {"x-api-key": ADMIN_KEY},
    {"authorization": f"Basic {ADMIN_KEY}"},
    {"authorization": ADMIN_KEY},
    {"x-maxpool-admin-key": ADMIN_KEY[:-1]},
    {"x-maxpool-admin-key": ADMIN_KEY.upper()},
    {"x-maxpool-admin-key": hashlib.sha256(ADMIN_KEY.encode()).hexdigest()},
    {"x-maxpool-admin-key": "wrong", "authorization": f"Bearer {ADMIN_KEY}"},
    {"cookie": f"x-maxpool-admin-key={ADMIN_KEY}"},
]


async def test_no_admin_route_opens_without_the_admin_key_on_loopback_too():  # X3
    async with rig(client_keys=KEYS) as it:
        admin = sorted({path for _, path in routes(it) if path.startswith("/admin")})
        assert len(admin) > 20
        paths = [*admin, "/admin", "/admin/", "/admin/%73top", "/%61dmin/stop", "/admin//stop"]
        paths.append(f"/admin/stop?x-maxpool-admin-key={ADMIN_KEY}")
        fields = {"host": "127.0.0.1", "content-type": "application/json"}
        for path in paths:
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                wires = [wire(method, path, fields | shown) for shown in SHOWN]
                assert await statuses(it, wires) == [401] * len(SHOWN), (method, path)
        assert (await it.admin("GET", "/accounts")).status == 200


OPEN = ("/healthz", "/readyz", "/ui/")
"""What tells nothing of the pool: supervisors, and the dashboard's own files."""


async def test_where_a_key_is_required_no_route_but_the_supervisors_opens_without():  # X2
    async with rig(server={"require_key": True}, client_keys=KEYS) as it:
        fields = {"host": "127.0.0.1", "content-type": "application/json"}
        for method, path in routes(it):
            shown = [{}, {"x-api-key": "wrong"}, {"x-maxpool-admin-key": ADMIN_KEY}]
            if is_admin(path):
                shown.pop()
            got = await statuses(it, [wire(method, path, fields | one) for one in shown])
            assert (401 in got) is not path.startswith(OPEN), (method, path)
            assert len(set(got)) == 1


async def test_no_answer_names_another_origin_than_the_one_of_the_list():  # X1
    async with rig(server={"allowed_origins": ["https://tool.example"]}) as it:
        for page in ("http://evil.example", "null", it.url):
            for got in (await it.post(headers={"origin": page}), await it.get("/status")):
                assert not [n for n in got.fields if n.startswith("access-control")]
        got = await it.post(headers={"origin": "https://tool.example"})
        assert got.whole, "a stream, too"
        assert got.fields["access-control-allow-origin"] == "https://tool.example"


async def test_a_page_of_another_site_is_refused_without_an_origin_too():
    async with rig() as it:
        for site in ("cross-site", "same-site"):
            assert (await it.get("/status", headers={"sec-fetch-site": site})).status == 403
        assert (await it.get("/status", headers={"sec-fetch-site": "none"})).status == 200


async def test_a_preflight_gets_no_permission():
    async with rig() as it:
        asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
        got = await it.send("OPTIONS", "/v1/messages", asked, b"")
        assert got.status == 403
        assert "access-control-allow-origin" not in got.fields


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
async def test_a_post_that_a_form_could_send_is_refused(kind):
    async with rig() as it:
        assert (await it.post(headers={"content-type": kind})).status == 415
        assert not it.asked()


async def test_the_servers_own_page_and_named_origins_are_let_in():
    async with rig(
        server={"allowed_origins": ["https://mine.example"], "allowed_hosts": ["pool.lan"]}
    ) as it:
        assert (await it.get("/status", headers={"origin": it.url})).status == 200
        assert (await it.post(headers={"origin": "https://mine.example"})).whole
        client = await it.connect()
        await client.send(request_bytes(host="POOL.lan:80", connection="close"))
        assert b"message_stop" in await client.rest()


# -- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown",
    [
        {"x-api-key": "the-client-key"},
        {"authorization": "Bearer the-client-key"},
        {"authorization": "bearer  the-client-key"},
        {"x-maxpool-key": "the-client-key", "x-api-key": "another"},
    ],
)
async def test_a_key_is_taken_from_any_of_its_headers_and_never_goes_upstream(shown):
    async with rig(server={"require_key": True}, client_keys=KEYS) as it:
        assert (await it.post(headers=shown)).whole
        sent = b"".join(value for _, value in it.sim.requests[-1].headers)
        assert b"the-client-key" not in sent


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"x-api-key": "wrong"},
        {"authorization": "Basic dGhlLWNsaWVudC1rZXk="},
        {"x-api-key": DIGEST},
        {"x-api-key": "the-client-key, x"},
    ],
)
async def test_without_its_key_nobody_gets_anything(shown):
    async with rig(server={"require_key": True}, client_keys=KEYS) as it:
        for path in ("/v1/models", "/status", "/", "/status.css", "/nowhere"):
            assert (await it.get(path, headers=shown)).status == 401
        got = await it.post(headers=shown)
        assert got.error == (401, "authentication_error")
        assert got.fields["x-should-retry"] == "false"
        assert not it.sim.requests


async def test_two_keys_never_share_a_conversation():
    keys = [*KEYS, {"name": "other", "sha256": hashlib.sha256(b"k2").hexdigest()}]
    async with rig(server={"require_key": True}, client_keys=keys) as it:
        for one in ("the-client-key", "k2"):
            await it.post(headers={"x-api-key": one, "x-claude-code-session-id": "same"})
        shown = await it.get("/status", headers={"x-api-key": "k2"})
        assert {s["session"] for s in shown.json["sessions"]["list"]} == {
            "laptop:same",
            "other:same",
        }


def test_keys_are_held_as_hashes_only():
    config = Config.model_validate({"client_keys": [{"name": "a", "key": "env:K"}]})
    rules = rules_of(config, lambda _: Secret("the-client-key"))
    assert rules.keys == (("a", DIGEST),)
    assert "the-client-key" not in repr(rules)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "pool.lan"])
def test_beyond_loopback_the_server_refuses_to_start_without_a_key(host):  # X2
    with pytest.raises(BindError, match="open to other machines"):
        rules_of(Config.model_validate({"server": {"host": host}}), lambda _: Secret(""))
    config = Config.model_validate({"server": {"host": host}, "client_keys": KEYS})
    assert rules_of(config, lambda _: Secret("")).require_key


# -- what one key may do ---------------------------------------------------------------------------


def with_limits(**limits: Any) -> dict[str, Any]:
    return {"server": {"require_key": True}, "client_keys": [{**KEYS[0], **limits}]}


MINE = {"x-api-key": "the-client-key"}


async def test_a_keys_limits_hold_on_every_call_and_name_it():  # X9
    limits = with_limits(models=["claude-haiku-*"], profile="team")
    server = {**limits["server"], "allowed_paths": ["/v1/complete"]}
    async with rig(**{**limits, "server": server}) as it:
        batch = b'{"requests": []}'
        for path, body in (
            *(("/v1/messages", ask()), ("/v1/messages/count_tokens", ask())),
            *(("/v1/messages/batches", batch), ("/v1/complete", b"{}")),
            ("/v1/messages", b'{"model": "claude-haiku-4-5", "model": "claude-opus-4-8"}'),
        ):
            got = await it.post(body, path, MINE)
            assert got.error == (403, "permission_error")
            assert "client key 'laptop'" in got.json["error"]["message"]
        haiku = ask(model="claude-haiku-4-5")
        got = await it.post(haiku, headers={**MINE, "x-maxpool-profile": "boss"})
        assert got.error == (403, "permission_error")
        assert not it.asked()
        assert (await it.post(haiku, headers=MINE)).whole
        listed = (await it.get("/v1/models", MINE)).json["data"]
        assert listed
        assert all(model["id"].startswith("claude-haiku-") for model in listed)


async def test_only_accounts_of_its_profile_serve_a_key():  # X9
    entries = {"a": {"profiles": ["boss"]}, "b": {"profiles": ["team"]}, "c": {"enabled": False}}
    async with rig(entries=entries, **with_limits(profile="team")) as it:
        assert (await it.post(headers=MINE)).account == "b"
        got = await it.post(headers={**MINE, "x-maxpool-account": "a", "x-maxpool-max-wait": "0"})
        assert got.status >= 400
        assert it.asked() == ["b"]


async def test_a_key_over_its_number_of_requests_is_told_so_and_others_are_not_concerned():
    limits = with_limits(requests=1)
    limits["client_keys"].append({"name": "other", "sha256": hashlib.sha256(b"k2").hexdigest()})
    async with rig(**limits) as it:
        it.sim.inject(faults.HangFault(after="delta"), "a")
        running = await it.open("POST", "/v1/messages", {**JSON, **MINE}, ask())
        got = await it.post(headers=MINE)
        assert got.error == (429, "rate_limit_error")
        assert "client key 'laptop'" in got.json["error"]["message"]
        assert got.fields["x-should-retry"] == "true"
        assert (await it.post(headers={"x-api-key": "k2"})).whole
        await running.stream.aclose()
        await until(lambda: not it.proxy.app.running)
        assert (await it.post(headers=MINE)).whole


async def test_a_key_waits_no_longer_than_it_may():  # X9
    async with rig(key("a"), **with_limits(max_wait="50ms")) as it:
        it.sim.inject(faults.QuotaFault(window="5h", resets_in_s=600.0), "a")
        await it.post(headers={**MINE, "x-maxpool-max-wait": "0"})
        async with asyncio.timeout(10.0):
            got = await it.post(headers={**MINE, "x-maxpool-max-wait": "3600"})
        assert got.status in (429, 503)


# -- bearers ---------------------------------------------------------------------------------------


async def test_a_redirect_is_not_followed_and_the_bearer_stays_at_its_origin():  # X5
    async def thief(one, reader, writer):
        await one.request(reader)

    async with peer(thief) as other, rig(key("a")) as it:
        for where in (other.url + "/v1/messages", "//evil.example/", "/v1/messages?again"):
            it.sim.inject(faults.redirect(where), "a")
            got = await it.post()
            assert got.error == (502, "api_error")
            assert "location" not in got.fields
        assert other.connections == 0
        assert it.asked() == ["a"] * 3


async def test_a_moved_accounts_bearer_goes_nowhere_until_its_owner_confirms():
    async with rig(key("a")) as it:
        (account_id,) = it.proxy.destinations
        it.proxy.origins.bound[account_id] = "https://elsewhere.example"
        it.proxy.bind_origins()
        assert (await it.state("a"))["state"] == "locked_out"
        assert (await it.post()).status == 502
        assert (await it.get("/v1/models")).status == 200
        assert not it.sim.requests
        it.proxy.bind_origins(("a",))
        assert (await it.post()).whole


async def test_an_account_that_moves_between_two_tries_is_not_tried_again():
    async with rig(limits={"retry_same_s": (0.2, 0.2)}) as it:
        it.sim.inject(faults.overloaded(), "a", times=None)
        answer = asyncio.ensure_future(it.post())
        await until(lambda: it.asked() == ["a"])
        account_id = next(iter(it.proxy.destinations))
        it.proxy.origins.bound[account_id] = "https://elsewhere.example"
        it.proxy.bind_origins()
        assert (await answer).account in ("b", "c")
        assert it.asked().count("a") == 1


class Changing:
    """A secret that its owner changes."""

    def __init__(self, value: str) -> None:
        self.value = value

    def resolve(self, reference: str) -> Secret:
        return Secret(self.value)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_an_account_that_moved_is_not_revived_by_a_new_secret(when):
    source = Changing("sk-ant-api03-old")
    async with rig(key("a")) as it:
        (account_id,) = it.proxy.destinations
        it.proxy.tokens.source = source
        assert (await it.post()).status == 502

        def move() -> None:
            it.proxy.origins.bound[account_id] = "https://elsewhere.example"
            it.proxy.bind_origins()

        source.value = key("a").secret
        if when == "before":
            move()
            await it.proxy.revival.look()
        else:
            looking = asyncio.ensure_future(it.proxy.revival.look())
            await asyncio.sleep(0)  # its look-up is on the way, in a thread
            move()
            await looking
        assert (await it.state("a"))["state"] == "locked_out"
        assert (await it.post()).status == 502
        assert not [s for s in it.sim.requests if s.header("x-api-key") == source.value]


# -- wrong requests --------------------------------------------------------------------------------


async def test_unknown_paths_and_methods_are_told_in_the_apis_shape():  # R21
    async with rig() as it:
        for path in (
            "/v1/complete",
            "/v1/messages/",
            "/v1/messages/batches/a/b",
            "/v2",
            "/status/x",
            "/%2e%2e/etc",
        ):
            got = await it.get(path)
            assert got.error == (404, "not_found_error")
            assert got.fields["x-should-retry"] == "false"
        for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS"):
            got = await it.send(method, "/v1/messages", JSON, b"")
            assert got.status == 405
        assert (await it.get("/v1/messages/count_tokens")).error == (405, "invalid_request_error")
        assert (await it.send("DELETE", "/v1/models", {}, b"")).error == (
            405,
            "invalid_request_error",
        )
        assert not it.sim.requests


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b"{}",
        b'{"model":7}',
        b'{"model":""}',
        b'{"model":null}',
        b"nul",
        b"[" * 100_000,
        b'{"model":"a"',
    ],
    ids=range(11),
)
async def test_a_body_that_is_no_request_is_a_400(body):
    async with rig() as it:
        got = await it.post(body)
        assert got.error == (400, "invalid_request_error")
        assert got.fields["x-should-retry"] == "false"
        assert not it.sim.requests
        assert it.proxy.stats.internal_errors == 0


async def test_an_empty_body_is_a_400():
    async with rig() as it:
        assert (await it.send("POST", "/v1/messages", JSON, b"")).error == (
            400,
            "invalid_request_error",
        )


async def test_an_absurd_address_is_refused():
    async with rig() as it:
        got = await it.post(path="/v1/messages?" + "x" * 9000)
        assert got.error == (414, "invalid_request_error")
        assert not it.sim.requests


async def test_a_body_that_packs_badly_is_a_400():
    async with rig() as it:
        for coding in ("gzip", "br", "gzip, gzip", "nonsense"):
            got = await it.post(headers={"content-encoding": coding})
            assert got.status in (400, 415)
        assert not it.sim.requests
