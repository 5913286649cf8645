from __future__ import annotations

import ipaddress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.config.model import Config
from maxpool.errors import BindError
from maxpool.web.guard import Guard, Rules, is_admin, rules_of

if TYPE_CHECKING:
    from maxpool.ports import Secret

KEY = (("laptop", sha256(b"k1").hexdigest()),)


class Door:
    """A guard and what got past it."""

    def __init__(self, **rules) -> None:
        self.inside: list[dict[str, Any]] = []
        self.status = 0
        self.guard = Guard(self.app, Rules(**rules), lambda: "id-1")

    async def app(self, scope, receive, send) -> None:
        self.inside.append(scope)
        self.status = 200

    async def send(self, message) -> None:
        self.status = message.get("status", self.status)

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
        await self.guard(scope, self.receive, self.send)
        return self.status


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST:1", "[::1]:3456", "[::1]"])
async def test_loopback_names_are_let_in(host):
    assert await Door().knock(host=host) == 200


@pytest.mark.parametrize("host", ["evil", "[::2]", "127.0.0.1.", "localhost.evil", None])
async def test_other_names_are_not(host):
    assert await Door().knock(host=host) == 403
    assert await Door(hosts=frozenset({"evil"})).knock(host="EVIL:80") == 200


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
