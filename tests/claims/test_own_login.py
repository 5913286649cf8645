"""The client's own login: it comes with the request, serves nobody else, and is never kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
from typing import TYPE_CHECKING, Any

import pytest

from maxpool import AuthFinal, Lease, NetworkFailure, OwnLogin, QuotaExceeded, Success
from maxpool.adapters.store import SqliteStateStore
from maxpool.cli.explain_view import explained
from maxpool.core.strategy import STRATEGIES
from maxpool.ports import Reply
from maxpool.service.clientlogin import ORIGIN, PRIORITIES
from maxpool.sim import faults
from maxpool.sim.clock import HandClock, WallClock
from maxpool.sim.faults import QuotaFault
from maxpool.wire.credential import fingerprint
from tests.make import NOW, account, pool
from tests.make import ask as pool_ask
from tests.make import key as make_key
from tests.rig import CLAUDE_CODE, JSON, MODEL, Got, Rig, ask, key, plan, rig, until
from tests.wire.captures import body, recorded

if TYPE_CHECKING:
    from maxpool.sim.plans import SimAccount

U = "anthropic-ratelimit-unified-"
BETA = {"anthropic-beta": "claude-code-20250219,oauth-2025-04-20"}
KEY = key("paid")
MINE, YOURS = plan("mine"), plan("yours")
FIRST: dict[str, Any] = {"pool": {"client_login": "first"}, "visitors": (MINE, YOURS)}
ALONE: dict[str, Any] = {**FIRST, "pool": {"client_login": "first", "spill": []}}
KEYS = [{"name": "laptop", "sha256": hashlib.sha256(b"the-client-key").hexdigest()}]
EXPIRED = "OAuth token has expired. Please obtain a new token or refresh your existing token."
AN_HOUR = QuotaFault(window="5h", resets_in_s=3600.0)


def signed_in(who: SimAccount = MINE, session: str = "s1") -> dict[str, str]:
    """The headers of Claude Code that is signed in by itself."""
    own = {"authorization": f"Bearer {who.secret}", "x-claude-code-session-id": session}
    return {**CLAUDE_CODE, **BETA, **own}


def name_of(who: SimAccount = MINE) -> str:
    return f"client {fingerprint(who.secret)}"


async def kinds(it: Rig) -> list[str]:
    return [a["kind"] for a in (await it.status())["accounts"]]


def unified(got: Got) -> dict[str, str]:
    return {n: v for n, v in got.fields.items() if n.startswith(U)}


# -- serving ---------------------------------------------------------------------------------------


async def test_its_own_login_serves_first_and_goes_upstream_byte_for_byte():  # X5
    async with rig(KEY, **FIRST) as it:
        odd = f"bearer  {MINE.secret}"
        got = await it.post(headers=signed_in() | {"authorization": odd})
        assert (got.whole, got.account, it.asked()) == (True, name_of(), ["mine"])
        sent = it.sim.requests[-1].headers
        assert [v for n, v in sent if n.lower() == b"authorization"] == [odd.encode()]
        assert [v for n, v in sent if n == b"anthropic-beta"] == [BETA["anthropic-beta"].encode()]
        shown = await it.state(name_of())
        assert (shown["kind"], shown["state"]) == ("client", "ready")
        assert {w["window"] for w in shown["windows"]} == {"5h", "7d"}


async def test_a_real_request_arrives_as_claude_code_sent_it():
    row = recorded("claude-code")
    sent = dict(row["headers"]) | {"Authorization": f"Bearer {MINE.secret}"}
    kept_here = {"host", "connection", "accept-encoding", "content-length"}
    async with rig(KEY, **FIRST) as it:
        got = await it.send("POST", row["target"], {**sent, **BETA}, body(row))
        assert (got.status, got.account) == (200, name_of()), got.body
        seen = it.sim.requests[-1]
        arrived = [(n, v) for n, v in seen.headers if n.decode().lower() not in kept_here]
        wanted = {**sent, **BETA}.items()
        meant = [(n.lower(), v) for n, v in wanted if n.lower() not in kept_here]
        assert [(n.decode().lower(), v.decode()) for n, v in arrived] == meant
        assert seen.body == body(row)


async def test_its_tokens_are_counted_by_its_own_login_too():
    async with rig(KEY, **FIRST) as it:
        got = await it.post(path="/v1/messages/count_tokens", headers=signed_in())
        assert (got.status, got.account, it.asked()) == (200, name_of(), ["mine"])
        it.sim.inject(faults.unauthorized(EXPIRED), "mine", when=lambda _: True)
        got = await it.post(path="/v1/messages/count_tokens", headers=signed_in())
        assert got.error == (401, "authentication_error")


async def test_under_its_own_login_a_client_sees_its_own_limits_unchanged():
    async with rig(plan("pooled"), **FIRST) as it:
        it.sim.set_used("mine", used_5h=0.25, used_7d=0.5)
        it.sim.set_used("pooled", used_5h=0.75, used_7d=0.75)
        assert (await it.post(headers=CLAUDE_CODE)).account == "pooled"
        own = unified(await it.post(headers=signed_in()))
        assert own[f"{U}5h-utilization"] == "0.25"
        assert {f"{U}representative-claim", f"{U}7d-reset"} <= own.keys()
        theirs = unified(await it.post(headers=CLAUDE_CODE))
        assert theirs[f"{U}5h-utilization"] != "0.25", "a client's login is no part of the pool's"


async def test_when_it_is_used_up_a_paid_account_helps_out_and_at_its_reset_it_serves_again():
    clock = HandClock(WallClock().now())
    async with rig(KEY, clock=clock, **FIRST) as it:
        it.sim.inject(AN_HOUR, "mine")
        got = await it.post(headers=signed_in())
        assert (got.whole, got.account) == (True, "paid")
        sent = dict(it.sim.requests[-1].headers)
        assert MINE.secret.encode() not in b"".join(sent.values())
        assert not unified(got)
        assert (await it.post(headers=signed_in())).account == "paid"
        clock.advance(7200.0)  # the upstream has a clock of its own, which goes on meanwhile
        assert (await it.post(headers=signed_in())).account == name_of()
        assert it.asked() == ["mine", "paid", "paid", "mine"]


async def test_kinds_that_may_not_help_out_never_do():
    sections = {**FIRST, "queue": {"max_wait": 0}}
    async with rig(plan("pooled"), **sections) as it:
        it.sim.inject(AN_HOUR, "mine", times=None)
        got = await it.post(headers=signed_in())
        assert (got.status, it.asked()) == (429, ["mine"])
    allowed = {**sections, "pool": {"client_login": "first", "spill": ["subscription"]}}
    async with rig(plan("pooled"), **allowed) as it:
        it.sim.inject(AN_HOUR, "mine")
        assert (await it.post(headers=signed_in())).account == "pooled"


async def test_as_the_last_it_serves_when_the_others_cannot():
    last = {**FIRST, "pool": {"client_login": "last", "key_price": "always"}}
    async with rig(KEY, **last) as it:
        assert (await it.post(headers=signed_in())).account == "paid"
        it.sim.inject(faults.credit_balance(), "paid")
        assert (await it.post(headers=signed_in())).account == name_of()
        assert it.asked() == ["paid", "paid", "mine"]


@pytest.mark.parametrize("strategy", ["sticky", "ordered", "random", "weighted", "round-robin"])
async def test_every_strategy_keeps_to_that_order(strategy):
    pool = {"client_login": "first", "strategy": strategy, "key_price": "always"}
    async with rig(KEY, **{**FIRST, "pool": pool}) as it:
        for n in range(4):
            assert (await it.post(headers=signed_in(session=f"s{n}"))).account == name_of()
    pool = {**pool, "client_login": "last"}
    async with rig(KEY, **{**FIRST, "pool": pool}) as it:
        for n in range(4):
            assert (await it.post(headers=signed_in(session=f"s{n}"))).account == "paid"


async def test_two_clients_are_two_accounts_and_neither_is_served_by_the_others_login():
    async with rig(KEY, **FIRST) as it:
        for who, session in ((MINE, "s1"), (YOURS, "s2"), (MINE, "s2"), (YOURS, "s1")):
            assert (await it.post(headers=signed_in(who, session))).account == name_of(who)
        it.sim.inject(AN_HOUR, "mine")
        assert (await it.post(headers=signed_in())).account == "paid"
        assert (await it.post(headers=CLAUDE_CODE)).account == "paid"
        assert it.asked() == ["mine", "yours", "mine", "yours", "mine", "paid", "paid"]


async def test_a_client_that_names_anothers_login_does_not_get_it():  # X9
    async with rig(KEY, **FIRST) as it:
        await it.post(headers=signed_in())
        wanted = {"x-maxpool-account": name_of(), "x-maxpool-max-wait": "0"}
        assert (await it.post(headers=wanted)).status >= 400
        assert (await it.post(headers=signed_in(YOURS) | wanted)).status >= 400
        assert it.asked() == ["mine"]


def leads_to(it: Rig, url: str, origin: str = "https://elsewhere.example") -> None:
    """The config is edited: `[upstream] base_url` is another; the old one counted as `origin`."""
    it.proxy.origins.bound[ORIGIN] = origin
    upstream = it.proxy.roster.config.upstream.model_copy(update={"base_url": url})
    it.proxy.apply(it.proxy.roster.config.model_copy(update={"upstream": upstream}))


async def test_an_edited_upstream_gets_no_login_until_its_owner_says_so():  # X5
    async with rig(KEY, **FIRST) as it:
        assert (await it.post(headers=signed_in())).account == name_of()
        leads_to(it, it.upstream.url)
        assert (await it.post(headers=signed_in())).account == "paid", "others may help out"
        assert await kinds(it) == ["api_key"]
        (notice,) = (await it.status())["notices"]
        assert "from https://elsewhere.example to" in notice
        assert it.asked() == ["mine", "paid"]
        done = await it.admin("POST", "/client-logins/confirm", {})
        assert (done.status, done.json["base_url"]) == (200, it.upstream.url)
        assert (await it.post(headers=signed_in())).account == name_of()
        assert (await it.admin("POST", "/client-logins/confirm", {})).status == 409


async def test_while_nobody_may_help_out_its_client_is_told_why():  # X5
    async with rig(MINE, pool={"client_login": "first", "spill": ["api_key"]}) as it:
        leads_to(it, it.upstream.url)
        got = await it.post(headers=signed_in())
        assert got.error == (403, "permission_error")
        assert "maxpool accounts confirm client:logins" in got.json["error"]["message"]
        own = await it.get("/api/oauth/usage", {**CLAUDE_CODE, **signed_in()})
        assert own.status == 200, "the pool's own answer"
        assert not it.sim.requests


async def test_a_request_on_its_way_takes_no_login_along_to_another_upstream():  # X5
    async with rig(KEY, limits={"retry_same_s": (0.2, 0.2)}, **FIRST) as it:
        it.sim.inject(faults.overloaded(), "mine", times=None)
        answer = asyncio.ensure_future(it.post(headers=signed_in()))
        await until(lambda: it.asked() == ["mine"])
        leads_to(it, it.upstream.url)
        assert (await answer).account == "paid"
        assert it.asked() == ["mine", "paid"]


async def test_a_restart_is_no_word_for_another_upstream_and_its_option_is(tmp_path):  # X5
    path = tmp_path / "state.db"
    async with rig(KEY, store=SqliteStateStore(path), **FIRST) as it:
        it.proxy.origins.bound[ORIGIN] = "https://elsewhere.example"
    async with rig(KEY, store=SqliteStateStore(path), **FIRST) as it:
        assert (await it.post(headers=signed_in())).account == "paid"
        it.proxy.bind_origins(("*",))
        assert (await it.post(headers=signed_in())).account == name_of()


# -- who it counts for -----------------------------------------------------------------------------

OTHERS: dict[str, dict[str, str]] = {
    "another program": {"user-agent": "curl/8.5.0", "x-app": ""},
    "an SDK": {"user-agent": "Anthropic/Python 2.11.0"},
    "an API key as a bearer": {"authorization": "Bearer sk-ant-api03-of-mine"},
    "the wrong header": {"authorization": "", "x-api-key": MINE.secret},
    "two of them": {"authorization": f"Bearer {MINE.secret}, Bearer {YOURS.secret}"},
    "basic": {"authorization": f"Basic {MINE.secret}"},
}


@pytest.mark.parametrize("given", OTHERS.values(), ids=OTHERS)
async def test_what_is_no_login_of_claude_code_is_dropped_as_ever(given):
    async with rig(KEY, **FIRST) as it:
        assert (await it.post(headers={**signed_in(), **given})).account == "paid"
        assert await kinds(it) == ["api_key"]
        assert MINE.secret not in str(it.sim.requests[-1].headers)


async def test_off_means_that_the_bearer_is_dropped():
    async with rig(KEY, visitors=(MINE,)) as it:
        assert (await it.post(headers=signed_in())).account == "paid"
        assert await kinds(it) == ["api_key"]
        assert MINE.secret not in str(it.sim.requests[-1].headers)


async def test_a_login_is_no_key_of_this_server():  # X2
    async with rig(KEY, server={"require_key": True}, client_keys=KEYS, **FIRST) as it:
        got = await it.post(headers=signed_in())
        assert got.error == (401, "authentication_error")
        assert "x-maxpool-key" in got.json["error"]["message"]
        assert got.fields["x-should-retry"] == "false"
        assert not it.sim.requests


async def test_beside_a_key_of_this_server_it_serves():
    async with rig(KEY, server={"require_key": True}, client_keys=KEYS, **FIRST) as it:
        got = await it.post(headers=signed_in() | {"x-maxpool-key": "the-client-key"})
        assert (got.whole, got.account) == (True, name_of())
        assert "the-client-key" not in str(it.sim.requests[-1].headers)


# -- what only the client can mend -----------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
async def test_that_its_login_expired_reaches_the_client_as_it_was_sent(stream):
    async with rig(KEY, **FIRST) as it:
        it.sim.inject(faults.unauthorized(EXPIRED), "mine")
        got = await it.post(ask(stream=stream), headers=signed_in())
        assert got.error == (401, "authentication_error")
        assert got.json["error"]["message"] == EXPIRED
        assert "x-should-retry" not in got.fields
        assert it.asked() == ["mine"], "neither repeated nor paid for by somebody else"
        assert (await it.state(name_of()))["state"] == "ready"
        assert (await it.post(headers=signed_in())).account == name_of()


async def test_a_refusal_inside_a_stream_is_the_clients_too():
    async with rig(KEY, **FIRST) as it:
        problem = faults.unauthorized(EXPIRED).problem
        it.sim.inject(faults.ErrorEventFault(problem=problem), "mine")
        got = await it.post(headers=signed_in())
        assert got.error == (401, "authentication_error")
        assert it.asked() == ["mine"]


async def test_a_limit_reaches_the_client_as_it_was_sent_when_nobody_can_help_out():
    async with rig(KEY, **ALONE) as it:
        it.sim.inject(AN_HOUR, "mine", times=None)
        got = await it.post(headers=signed_in())
        assert got.error == (429, "rate_limit_error")
        told = unified(got)
        assert (told[f"{U}status"], told[f"{U}representative-claim"]) == ("rejected", "five_hour")
        assert (got.fields["retry-after"], got.fields["x-should-retry"]) == ("3600", "true")
        assert got.json["request_id"], "the upstream's own body"


async def test_a_closed_login_is_asked_again_rather_than_answered_for():
    async with rig(KEY, **ALONE) as it:
        it.sim.inject(AN_HOUR, "mine", times=2)
        for _ in range(2):
            assert unified(await it.post(headers=signed_in()))[f"{U}status"] == "rejected"
        assert (await it.post(headers=signed_in())).account == name_of(), "its limit was lifted"
        assert it.asked() == ["mine"] * 3


async def test_a_login_that_is_over_spills_and_without_help_the_client_hears_it():
    async with rig(KEY, **FIRST) as it:
        it.sim.inject(faults.revoked(), "mine", times=None)
        assert (await it.post(headers=signed_in())).account == "paid"
        assert (await it.post(headers=signed_in())).account == "paid"
        assert it.asked() == ["mine", "paid", "paid"]
    async with rig(KEY, **ALONE) as it:
        it.sim.inject(faults.revoked(), "mine", times=None)
        for _ in range(2):
            got = await it.post(headers=signed_in())
            assert got.error == (403, "permission_error")
            assert got.json["error"]["message"].startswith("OAuth token has been revoked")


async def test_a_helper_that_fails_as_well_does_not_hide_the_clients_limit():
    async with rig(KEY, queue={"max_wait": 0}, **FIRST) as it:
        it.sim.inject(AN_HOUR, "mine", times=None)
        it.sim.inject(faults.credit_balance(), "paid", times=None)
        got = await it.post(headers=signed_in())
        assert (got.status, unified(got)[f"{U}status"]) == (429, "rejected")
        assert it.asked() == ["mine", "paid"]


async def test_a_request_that_is_at_fault_itself_is_told_so():
    async with rig(KEY, **FIRST) as it:
        it.sim.inject(AN_HOUR, "mine")
        it.sim.inject(faults.bad_request(), "paid")
        assert (await it.post(headers=signed_in())).error == (400, "invalid_request_error")


async def test_trouble_of_the_upstream_is_not_the_logins():
    async with rig(KEY, **FIRST) as it:
        it.sim.inject(faults.status(500), "mine")
        assert (await it.post(headers=signed_in())).whole
        assert (await it.state(name_of()))["state"] == "ready"


# -- what is kept of it ----------------------------------------------------------------------------


async def test_a_login_that_was_refreshed_is_the_same_account_under_its_new_name():
    before, after = (plan(n, organization="org-1") for n in ("before", "after"))
    async with rig(KEY, pool={"client_login": "first"}, visitors=(before, after)) as it:
        for _ in range(2):
            await it.post(headers=signed_in(before))
        assert (await it.post(headers=signed_in(after))).account == name_of(after)
        (_, shown) = (await it.status())["accounts"]
        assert (shown["name"], shown["total"]["requests"]) == (name_of(after), 3)
        (session,) = (await it.status())["sessions"]["list"]
        assert (session["account"], session["turns"]) == (shown["id"], 3)


async def test_another_organisation_in_the_same_session_is_another_account():
    async with rig(KEY, **FIRST) as it:
        for who in (MINE, YOURS):
            await it.post(headers=signed_in(who))
        assert await kinds(it) == ["api_key", "client", "client"]


async def test_the_longest_unused_login_makes_room_and_never_one_at_work():
    few = {**FIRST, "pool": {"client_login": "first", "max_client_logins": 1}}
    async with rig(KEY, **few) as it:
        it.sim.inject(faults.HangFault(after="delta"), "mine")
        running = await it.open("POST", "/v1/messages", {**JSON, **signed_in()}, ask())
        assert isinstance(running, Reply)
        assert (await it.post(headers=signed_in(YOURS))).account == "paid", "no room for it yet"
        await running.stream.aclose()
        await until(it.idle)
        assert (await it.post(headers=signed_in(YOURS))).account == name_of(YOURS)
        assert [a["name"] for a in (await it.status())["accounts"]] == ["paid", name_of(YOURS)]


async def test_a_restart_remembers_its_limit_and_not_a_byte_of_it(tmp_path):  # S18
    path = tmp_path / "state.db"
    async with rig(KEY, store=SqliteStateStore(path), **FIRST) as it:
        it.sim.inject(AN_HOUR, "mine")
        await it.post(headers=signed_in())
    upstream = {"base_url": it.upstream.url}
    written = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert MINE.secret.encode() not in written
    assert fingerprint(MINE.secret).encode() in written
    async with rig(KEY, store=SqliteStateStore(path), upstream=upstream, **FIRST) as it:
        assert (await it.state(name_of()))["state"] == "benched"
    async with rig(KEY, store=SqliteStateStore(path), **FIRST) as it:
        assert await kinds(it) == ["api_key"], "another upstream knows nothing of it"


async def test_no_word_of_a_login_is_ever_told(caplog):  # O6
    caplog.set_level(logging.DEBUG)
    async with rig(KEY, **FIRST) as it:
        secret = MINE.secret.removeprefix("sk-ant-oat01-")
        for fault in (None, faults.unauthorized(EXPIRED), faults.revoked(), AN_HOUR):
            if fault is not None:
                it.sim.inject(fault, "mine")
            await it.post(headers=signed_in())
        broken = it.proxy.pool.observe
        it.proxy.pool.observe = None  # type: ignore[method-assign,assignment]
        assert (await it.post(headers=signed_in(YOURS))).status == 500
        it.proxy.pool.observe = broken  # type: ignore[method-assign]
        told = [caplog.text, repr(it.proxy), repr(it.proxy.forwarder.traces)]
        told += [json.dumps(it.proxy.pool.snapshot(it.proxy.clock.now()))]
        for path in ("/status", "/", "/metrics"):
            told.append((await it.get(path)).body.decode())
        for path in ("/accounts", "/decisions?limit=50", "/sessions"):
            told.append((await it.admin("GET", path)).body.decode())
        assert fingerprint(MINE.secret) in told[0]
        assert not [text for text in told if secret in text]


async def test_a_reload_that_switches_it_off_forgets_every_login():
    async with rig(KEY, **FIRST) as it:
        await it.post(headers=signed_in())
        config = it.proxy.roster.config
        off = config.pool.model_copy(update={"client_login": "off"})
        it.proxy.apply(config.model_copy(update={"pool": off}))
        assert await kinds(it) == ["api_key"]
        assert (await it.post(headers=signed_in())).account == "paid"


async def test_why_it_went_elsewhere_can_be_asked():
    async with rig(KEY, **FIRST) as it:
        it.sim.inject(AN_HOUR, "mine")
        await it.post(headers=signed_in())
        await it.post(headers=signed_in())
        (latest, *_) = (await it.admin("GET", "/decisions")).json["decisions"]
        (only,) = latest["tries"]
        assert (only["account"], only["unavailable"]) == ("paid", {"quota": 1})


async def test_many_clients_at_once_each_get_their_own():
    people = tuple(plan(f"p{n}") for n in range(8))
    async with rig(KEY, pool={"client_login": "first"}, visitors=people) as it:
        asked = [signed_in(who, session=who.name) for who in people for _ in range(3)]
        answers = await asyncio.gather(*(it.post(headers=headers) for headers in asked))
        names = [name_of(who) for who in people for _ in range(3)]
        assert [got.account for got in answers] == names
        await until(it.idle)


async def test_what_would_become_of_a_clients_request_can_be_asked():
    async with rig(KEY, plan("pooled"), **FIRST) as it:
        await it.post(headers=signed_in())
        asked = f"/explain?model={MODEL}&program=claude-code"
        alone = (await it.admin("GET", asked)).json
        named = (await it.admin("GET", f"{asked}&login={name_of().replace(' ', '%20')}")).json
        reasons = [
            {u["account"]: u["reason"] for u in one["unavailable"]} for one in (alone, named)
        ]
        assert reasons == [{name_of(): "other_login"}, {"pooled": "spill"}]
        assert [one["chosen"] for one in (alone, named)] == ["paid", name_of()]
        assert "own login" in " ".join(map(str, explained(named)))


async def test_it_stands_in_no_config_and_can_be_switched_off_all_the_same():
    async with rig(KEY, **FIRST) as it:
        account_id = (await it.post(headers=signed_in())).account
        path = f"/accounts/{str(account_id).replace(' ', '%20')}"
        assert (await it.admin("PATCH", path, {"priority": 3})).status == 409
        assert (await it.admin("DELETE", path)).status == 409
        assert (await it.admin("POST", f"{path}/disable")).status == 200
        assert (await it.post(headers=signed_in())).account == "paid"
        assert (await it.admin("GET", path)).json["kind"] == "client"


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("order", ["first", "last"])
def test_no_strategy_ever_gives_one_clients_login_to_another(order, strategy):
    chance, clients, now = random.Random(f"{order} {strategy}"), ("x", "y", "z"), NOW
    own = [account(c, kind="client", priority=PRIORITIES[order]) for c in clients]
    p = pool("pooled", make_key("paid"), *own, strategy=strategy, key_price="always")
    outcomes = (Success(), Success(), QuotaExceeded("5h"), NetworkFailure(), AuthFinal("over"))
    served: set[str] = set()
    for _ in range(400):
        now += chance.uniform(0.0, 60.0)
        mine = OwnLogin(chance.choice(clients), frozenset({"api_key"}))
        brought = chance.choice((None, mine))
        asked = pool_ask(chance.choice("rstu"), own=brought, max_wait_s=0.0, arrived_at=now)
        given = p.acquire(asked, now)
        found = given if isinstance(given, Lease) else p.last_word(asked, now)
        if found is not None:
            able = {"pooled", "paid"} if brought is None else {brought.account_id, "paid"}
            assert found.account_id in able
            served.add(found.account_id)
            p.release(found, chance.choice(outcomes), now)
    assert {"paid", *clients} <= served
