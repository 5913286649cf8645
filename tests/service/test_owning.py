from __future__ import annotations

from dataclasses import replace

import pytest

from maxpool import Account, Command
from maxpool.core import owners
from maxpool.core.owners import RESOURCES
from maxpool.errors import RequestError
from maxpool.service.job import Job
from maxpool.service.owning import Owning
from maxpool.service.retry import Trail
from maxpool.sim.clock import HandClock
from maxpool.wire.meter import Meter
from tests.make import NOW, account, ask, key, pool

BATCH = b'{"id":"m_1","type":"message_batch","results_url":"https://x.example/v1/messages/batches/m_1/results"}'


def owning(*names: str | Account) -> Owning:
    return Owning(pool(*names), HandClock(NOW))


def job(**given) -> Job:
    asked = {"method": "GET", "target": "/v1/files/f", "headers": (), "body": b"", "request": ask()}
    return Job(**{**asked, "request_id": "r", "streaming": False, **given})


def test_what_names_nothing_is_bound_to_nobody():
    asked = ask()
    assert owning("a").bind(asked, ()) == (asked, False)


def test_what_names_a_known_thing_must_be_served_where_that_is():  # R19
    of = owning("a", "b")
    owners.seen(of.pool, ["f1", "f2"], "b", NOW)
    bound, seeks = of.bind(ask(), ("f1", "f2", "unknown"))
    assert (bound.owner, seeks) == ("b", False)


def test_where_only_other_services_are_they_may_know_it_themselves():
    of = owning(replace(key("other"), lacks=frozenset({RESOURCES})))
    assert RESOURCES not in of.bind(ask(), ("f1",))[0].needs


def test_names_that_are_not_shown_stand_in_no_message():
    of = owning("secret-a", "secret-b")
    of.show = False
    owners.seen(of.pool, ["f1"], "secret-a", NOW)
    owners.seen(of.pool, ["f2"], "secret-b", NOW)
    with pytest.raises(RequestError) as told:
        of.bind(ask(), ("f1", "f2"))
    assert "secret" not in str(told.value)


def test_a_download_that_was_found_is_known_from_then_on():
    of = owning("a")
    of.streamed(job(named=("f1",)), "a", Meter())
    assert of.pool.owners.find("f1", NOW) == "a"


def test_what_nobody_knows_is_sought_unless_it_is_for_something_new():  # R19
    of = owning("a")
    bound, seeks = of.bind(ask(), ("f1",))
    assert (bound.owner, seeks, RESOURCES in bound.needs) == (None, True, True)
    assert of.bind(ask(), ("f1",), creates=True)[1] is False
    assert of.bind(ask(owner="a"), ("f1",))[1] is False


def test_an_account_that_serves_no_more_leaves_the_search_to_the_others():  # R19
    of = owning("a", "b")
    owners.seen(of.pool, ["f1"], "a", NOW)
    of.pool.command(Command("disable", "a"), NOW)
    assert of.bind(ask(), ("f1",))[1] is True
    with pytest.raises(RequestError, match="is disabled"):
        of.bind(ask(), ("f1",), creates=True)
    of.pool.remove("a", NOW)
    with pytest.raises(RequestError, match="was removed"):
        of.bind(ask(), ("f1",), creates=True)


def test_two_holders_and_a_switch_to_another_are_refused():  # X9
    of = owning("a", "b")
    owners.seen(of.pool, ["f1"], "a", NOW)
    owners.seen(of.pool, ["f2"], "b", NOW)
    with pytest.raises(RequestError, match="no request can use both"):
        of.bind(ask(), ("f1", "f2"))
    with pytest.raises(RequestError, match="names another"):
        of.bind(ask(owner="b"), ("f1",))


def test_an_answer_about_a_batch_teaches_whose_it_is_and_leads_back_here():
    of = owning("a")
    reader = of.reader(job(tells="resource", origin="http://here"), "a")
    assert reader is not None
    assert b'"http://here/v1/messages/batches/m_1/results"' in reader(BATCH)
    assert of.pool.owners.find("m_1", NOW) == "a"
    reader(b'{"id":"m_1","type":"message_batch_deleted"}')
    assert of.pool.owners.find("m_1", NOW) is None


def test_a_list_takes_nothing_from_who_has_it_already():
    of = owning("a", "b")
    owners.seen(of.pool, ["f1"], "a", NOW)
    reader = of.reader(job(tells="list"), "b")
    assert reader is not None
    reader(b'{"data":[{"id":"f1","type":"file"},{"id":"f2","type":"file"}]}')
    assert [of.pool.owners.find(f, NOW) for f in ("f1", "f2")] == ["a", "b"]


def test_a_model_call_teaches_its_container_what_it_named_and_its_thread():
    of = owning("a")
    body = b'{"id":"msg_1","container":{"id":"c_1"}}'
    reader = of.reader(job(tells="message", named=("f1",)), "a")
    assert reader is not None
    assert reader(body) is body
    assert list(of.pool.owners.by_id) == ["c_1", "f1"]
    meter = Meter()
    meter.message_id = "msg_2"
    of.streamed(job(tells="message"), "a", meter)
    of.streamed(job(tells="thread"), "a", meter)
    assert list(of.pool.owners.by_id) == ["c_1", "f1", "msg_2"]
    assert of.reader(job(), "a") is None


def sought(of: Owning, *missing: str, show: bool = True):
    trail = Trail(NOW, seeks=True, missing=set(missing))
    of.show = show
    answer = of.nowhere(job(named=("f1",)), trail)
    return None if answer is None else (answer.status, answer.body.decode())


def test_where_all_were_asked_the_upstreams_word_stands():
    assert sought(owning("a", "b"), "a", "b") is None


def test_who_could_not_be_asked_is_named_and_whether_that_passes():
    of = owning("a", account("b", name="bee"))
    found = sought(of, "a")
    assert found is not None
    assert (found[0], "bee (failed)" in found[1]) == (503, True)
    of.pool.command(Command("disable", "b"), NOW)
    found = sought(of, "a")
    assert found is not None
    assert (found[0], "bee (disabled)" in found[1]) == (404, True)
    hidden = sought(of, "a", show=False)
    assert hidden is not None
    assert "bee" not in hidden[1]


def test_accounts_that_never_have_such_things_are_not_missed():
    other = replace(key("other"), lacks=frozenset({RESOURCES}))
    of = owning("a", other)
    trail = Trail(NOW, seeks=True, missing={"a"})
    request = of.bind(ask(), ("f1",))[0]
    assert of.nowhere(job(named=("f1",), request=request), trail) is None
