from __future__ import annotations

import asyncio
import ipaddress
from hashlib import sha256
from typing import Any

import pytest

from maxpool.config.model import Config
from maxpool.errors import BindError
from maxpool.ports import Secret
from maxpool.sim.clock import HandClock
from maxpool.web.allowance import Allowance
from maxpool.web.attempts import WINDOW_S, WRONG_KEYS
from maxpool.web.guard import Guard, Rules, is_admin, rules_of
from tests.make import NOW

KEY = (("laptop", sha256(b"k1").hexdigest()),)


class Door:
    """A guard and what got past it."""

    def __init__(self, **rules) -> None:
        self.inside: list[dict[str, Any]] = []
        self.status, self.body = 0, b""
        self.fields: dict[bytes, bytes] = {}
        self.clock = HandClock(NOW)
        self.guard = Guard(self.app, Rules(**rules), lambda: "id-1", self.clock)

    async def app(self, scope, receive, send) -> None:
        self.inside.append(scope)
        self.status = 200

    async def send(self, message) -> None:
        self.status = message.get("status", self.status)
        self.fields = dict(message.get("headers", self.fields.items()))
        self.body = message.get("body", b"")

    async def receive(self):
        return {"type": "http.request", "body": b""}

    async def knock(self, method="GET", path="/status", peer="127.0.0.1", **fields) -> int:
        named = {"host": "127.0.0.1:3456"} | {n.replace("_", "-"): v for n, v in fields.items()}
        raw = [(n.encode(), v.encode("latin-1")) for n, v in named.items() if v is not None]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": raw,
            "client": (peer, 5),
        }
        self.status, self.fields = 0, {}
        await self.guard(scope, self.receive, self.send)
        return self.status


LOOPBACK = ["127.0.0.1", "LOCALHOST:1", "[::1]:3456", "[::1]", "127.0.0.1:", "[0:0:0:0:0:0:0:1]:1"]
ELSEWHERE = [
    *("evil", "[::2]", "127.0.0.1.", "localhost.", "localhost.evil", "evil.localhost", "0.0.0.0"),
    *("127.0.0.1:x", "127.0.0.1:1:2", "[::1", "[::1]x", "::1", "[::1%lo]", "127.1", "2130706433"),
    *("127.0.0.1@evil", "127.0.0.1/evil", "127.0.0.1, evil", "127.0.0.1 ", "[::ffff:7f00:1]", None),
]


@pytest.mark.parametrize("host", LOOPBACK)
async def test_loopback_names_are_let_in(host):
    assert await Door().knock(host=host) == 200


@pytest.mark.parametrize("host", ELSEWHERE)
async def test_other_names_are_not(host):  # X1
    door = Door()
    assert [await door.knock(host=host) for _ in range(2)] == [403, 403]
    assert await Door(hosts=frozenset({"evil"})).knock(host="EVIL:80") == 200


async def test_no_number_of_host_fields_fills_the_memory():
    door = Door()
    for port in range(1000):
        assert await door.knock(host=f"127.0.0.1:{port}") == 200
    assert len(door.guard.seen_hosts) <= 64


def test_an_address_of_ipv6_is_one_name_however_it_is_written():
    written = {"host": "::1", "allowed_hosts": ["fd00:0:0::5", "[fd00::6]", "Pool.LAN"]}
    rules = rules_of(config(server=written), unresolved)
    assert rules.hosts == {"[::1]", "[fd00::5]", "[fd00::6]", "pool.lan"}


ORIGINS = [
    ("http://127.0.0.1:3456", 200),
    ("https://127.0.0.1:3456", 200),
    ("http://127.0.0.1", 403),
    ("http://127.0.0.1:3456.evil", 403),
    ("http://127.0.0.1:3456/", 403),
    ("http://localhost:3456", 403),
    ("null", 403),
    ("", 403),
    ("http://127.0.0.1:3456, http://evil", 403),
    ("https://tool.example", 200),
    ("http://tool.example", 403),
    ("https://tool.example.", 403),
    ("https://tool.example:443", 403),
    ("https://Tool.example", 403),
    ("https://tool.example.evil", 403),
]


@pytest.mark.parametrize(("origin", "status"), ORIGINS)
async def test_an_origin_is_this_servers_own_or_exactly_one_of_the_list(origin, status):  # X1
    door = Door(origins=frozenset({"https://tool.example"}))
    assert await door.knock(origin=origin) == status


@pytest.mark.parametrize(
    ("site", "status"),
    [
        ("none", 200),
        ("same-origin", 200),
        ("same-site", 403),
        ("cross-site", 403),
        ("none, cross-site", 403),
        ("Same-Origin", 403),
        ("", 403),
        ("new-word", 403),
    ],
)
async def test_what_a_browser_says_of_a_request_is_believed_when_it_is_bad_news(site, status):  # X1
    assert await Door().knock(sec_fetch_site=site) == status


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PURGE", "QUERY"])
async def test_a_method_of_no_route_goes_nowhere(method):
    assert await Door().knock(method, "/v1/messages") == 405


async def test_a_page_of_the_list_may_ask_first_and_read_the_answer():  # X1
    asked = {"origin": "https://tool.example", "access_control_request_method": "POST"}
    door = Door(origins=frozenset({"https://tool.example"}), keys=KEY, require_key=True)
    assert await door.knock("OPTIONS", "/v1/messages", **asked) == 204, "no key: browsers send none"
    assert not door.inside
    assert await door.knock("OPTIONS", "/v1/messages", **{**asked, "origin": "https://evil"}) == 403
    assert await door.knock(origin="https://tool.example") == 401, "the key is needed all the same"
    assert door.fields[b"access-control-allow-origin"] == b"https://tool.example"
    assert await door.knock(origin="http://127.0.0.1:3456", x_api_key="k1") == 200
    assert b"access-control-allow-origin" not in door.fields


async def test_what_is_read_of_a_request_goes_inside_with_it():
    door = Door(keys=KEY)
    assert await door.knock(x_api_key="k1") == 200
    state = door.inside[0]["state"]
    assert (state["key_name"], state["request_id"]) == ("laptop", "id-1")
    assert state["fields"]["x-api-key"] == "k1"
    await door.knock(x_api_key="k2")
    assert door.inside[1]["state"]["key_name"] is None


async def test_supervisors_need_no_key_and_everybody_else_does():
    door = Door(keys=KEY, require_key=True)
    assert await door.knock(path="/healthz") == 200
    assert await door.knock(path="/readyz") == 200
    assert await door.knock() == 401
    assert await door.knock(path="/healthz/") == 401
    assert await door.knock(authorization="Bearer k1") == 200


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("10.1.2.3", 200),
        ("::ffff:10.1.2.3", 200),
        ("10.2.0.1", 403),
        ("fe80::1%eth0", 403),
        ("127.0.0.1", 200),
        ("::1", 200),
    ],
)
async def test_a_list_of_addresses_keeps_others_out(peer, status):
    door = Door(networks=(ipaddress.ip_network("10.1.0.0/16"),))
    assert await door.knock(peer=peer) == status


async def test_where_addresses_are_listed_one_that_cannot_be_read_is_not_among_them():
    door = Door(networks=(ipaddress.ip_network("10.1.0.0/16"),))
    assert await door.knock(peer="/run/socket") == 403
    assert await Door().knock(peer="/run/socket") == 200


async def test_only_json_may_be_posted_whatever_its_parameters():
    assert await Door().knock("POST", content_type="Application/JSON; charset=utf-8") == 200
    for kind in ("text/plain", "application/jsonx", "application/json, text/plain", None):
        assert await Door().knock("POST", content_type=kind) == 415
    assert await Door().knock("DELETE") == 200


async def test_header_tricks_are_a_400():
    assert await Door().knock(x_a="a\r\nb: c") == 400
    assert await Door().knock(x_a="a\0b") == 400


async def test_new_rules_hold_from_the_next_request_on():
    door = Door()
    door.guard.admit(Rules(hosts=frozenset({"pool.lan"}), keys=KEY, require_key=True))
    assert await door.knock(host="pool.lan") == 401
    assert await door.knock(host="pool.lan", x_api_key="k1") == 200


async def test_what_is_no_http_request_goes_nowhere():
    door = Door()
    await door.guard({"type": "websocket"}, door.receive, door.send)
    assert not door.inside
    await door.guard({"type": "lifespan"}, door.receive, door.send)
    assert len(door.inside) == 1


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/accounts", "/admin//x"])
def test_what_begins_like_the_admin_api_belongs_to_it(path):
    assert is_admin(path)
    assert not is_admin(path.replace("/admin", "/admins"))
    assert not is_admin("/v1" + path)


def config(**sections) -> Config:
    return Config.model_validate(sections)


def unresolved(_reference: str) -> Secret:
    raise AssertionError("nothing to resolve")


def test_the_state_folder_s_own_key_is_a_client_key_called_local():  # X10
    required = {"require_key": True}
    rules = rules_of(config(server=required), unresolved, "digest")
    assert (rules.keys, rules.require_key) == ((("local", "digest"),), True)
    named = [{"name": "local", "sha256": "0" * 64}]
    assert rules_of(config(client_keys=named), unresolved, "digest").keys == (("local", "0" * 64),)


def test_that_key_is_not_enough_to_listen_beyond_this_machine():  # X2
    with pytest.raises(BindError):
        rules_of(config(server={"host": "0.0.0.0"}), unresolved, "digest")


async def test_where_a_key_is_required_and_none_exists_nobody_gets_in():
    door = Door(require_key=True)
    assert await door.knock() == 401
    assert await door.knock(path="/healthz") == 200


async def test_a_wrong_key_is_told_from_none():
    door = Door(keys=KEY, require_key=True)
    await door.knock()
    assert b"needs a client key" in door.body
    for wrong in ({"x_api_key": "k2"}, {"authorization": "Bearer k2"}):
        await door.knock(**wrong)
        assert b"none of this maxpool's client keys" in door.body


async def test_a_clients_own_login_is_no_key_and_it_is_told_where_a_key_goes():
    door = Door(keys=KEY, require_key=True)
    assert await door.knock(authorization="Bearer sk-ant-oat01-mine") == 401
    with_key = {"authorization": "Bearer sk-ant-oat01-mine", "x_maxpool_key": "k1"}
    assert await door.knock(**with_key) == 200


async def test_a_form_comes_in_only_as_an_upload_that_no_page_could_send():  # X1
    form = {"content_type": "multipart/form-data; boundary=x"}
    assert await Door().knock("POST", "/v1/files", **form) == 415
    shown = [{"anthropic_version": "2023-06-01"}, {"x_api_key": "k"}, {"authorization": "Bearer k"}]
    for header in shown:
        assert await Door().knock("POST", "/v1/files", **form, **header) == 200
        assert await Door().knock("POST", "/v1/files/", **form, **header) == 415
        assert await Door().knock("POST", "/v1/messages", **form, **header) == 415
    evil = {**form, **shown[0], "origin": "https://evil.example"}
    assert await Door().knock("POST", "/v1/files", **evil) == 403
    assert await Door().knock("POST", "/v1/files", **form, authorization="Basic eA==") == 415


# -- what one key may do ---------------------------------------------------------------------------


def limited(**limits: Any) -> Door:
    allowances = {"laptop": Allowance(name="laptop", **limits)}
    return Door(keys=KEY, require_key=True, allowances=allowances)


async def test_an_expired_key_opens_nothing_and_says_so():
    door = limited(until=NOW + 10.0)
    assert await door.knock(x_api_key="k1") == 200
    door.clock.advance(10.0)
    assert await door.knock(x_api_key="k1") == 401
    assert await door.knock(path="/healthz", x_api_key="k1") == 200


async def test_a_key_has_no_more_requests_at_once_than_it_may():  # X9
    door = limited(requests=1)
    release, entered = asyncio.Event(), asyncio.Event()

    async def slow(scope, receive, send) -> None:
        entered.set()
        await release.wait()

    door.guard.app = slow
    first = asyncio.ensure_future(door.knock(path="/v1/messages", x_api_key="k1"))
    await entered.wait()
    door.guard.app = door.app
    assert await door.knock(path="/v1/messages", x_api_key="k1") == 429
    assert door.fields[b"x-should-retry"] == b"true"
    for path in ("/openai/chat/completions", "/anthropic/v1/messages", "/v1/sets/x/responses"):
        assert await door.knock(path=path, x_api_key="k1") == 429, "a prefix is no way around"
    assert await door.knock(path="/route", x_api_key="k1") == 429
    assert await door.knock(path="/status", x_api_key="k1") == 200, "looking is no request"
    release.set()
    await first
    assert await door.knock(path="/v1/messages", x_api_key="k1") == 200
    assert door.guard.running == {}


async def test_a_request_that_fails_or_is_left_is_counted_no_more():
    door = limited(requests=1)

    async def broken(scope, receive, send) -> None:
        raise asyncio.CancelledError

    door.guard.app = broken
    with pytest.raises(asyncio.CancelledError):
        await door.knock(path="/v1/messages", x_api_key="k1")
    assert door.guard.running == {}


async def test_wrong_keys_from_afar_are_looked_at_at_a_bounded_rate():
    door = Door(keys=KEY, require_key=True)
    door.guard.admin_digest = sha256(b"admin").hexdigest()
    far = {"peer": "192.0.2.7"}
    assert await door.knock(**far, x_api_key="k1") == 200
    wrong = [await door.knock(**far, x_api_key=f"guess {n}") for n in range(WRONG_KEYS + 1)]
    assert wrong == [401] * WRONG_KEYS + [429]
    assert await door.knock(path="/admin/x", **far, x_maxpool_admin_key="admin") == 429
    assert await door.knock(**far, x_api_key="k1") == 200, "it was right before"
    assert await door.knock(**far) == 401, "no key is no guess"
    assert await door.knock(x_api_key="k1") == 200, "this machine is not concerned"
    door.clock.advance(WINDOW_S)
    assert await door.knock(path="/admin/x", **far, x_maxpool_admin_key="admin") == 200


async def test_a_login_beside_wrong_keys_makes_them_no_fewer():
    door = Door(keys=KEY, require_key=True)
    far = {"peer": "192.0.2.7", "authorization": "Bearer sk-ant-oat01-mine"}
    assert [await door.knock(**far) for _ in range(WRONG_KEYS + 1)] == [401] * (WRONG_KEYS + 1)
    for header in ("x_maxpool_key", "x_api_key"):
        door.clock.advance(WINDOW_S)
        wrong = [await door.knock(**far, **{header: f"no {n}"}) for n in range(WRONG_KEYS + 1)]
        assert wrong == [401] * WRONG_KEYS + [429]


def test_the_limits_of_the_config_are_the_rules():
    keys = [{"name": "a", "key": "env:A"}, {"name": "b", "key": "env:B", "requests": 2}]
    rules = rules_of(config(client_keys=keys), lambda name: Secret(name))
    assert rules.allowances == {"b": Allowance(name="b", requests=2)}


async def test_what_stands_before_a_path_is_told_and_taken_away():
    door = Door()
    await door.knock(path="/openai/v1/sets/fast/chat/completions")
    inside = door.inside[-1]
    assert (inside["path"], inside["raw_path"]) == (
        "/v1/chat/completions",
        b"/v1/chat/completions",
    )
    assert (inside["state"]["prefix"], inside["state"]["set_name"]) == ("openai", "fast")


async def test_who_is_turned_away_hears_it_in_the_form_of_its_api():
    door = Door(keys=KEY, require_key=True)
    assert await door.knock(path="/openai/v1/models") == 401
    assert b'"code":"invalid_api_key"' in door.body
    assert await door.knock("POST", path="/v1/responses", x_api_key="k1") == 415
    assert b'"code"' in door.body
    assert await door.knock(path="/anthropic/v1/models") == 401
    assert b'"authentication_error"' in door.body
