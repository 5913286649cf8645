import pytest

from maxpool.sim.messages import MessagesFace
from maxpool.sim.problems import Problem
from maxpool.sim.prompts import Prompt
from maxpool.sim.shelf import Shelf, Shelves, SimBatch, SimFile, page
from tests.sim.conftest import body

FILE = SimFile(id="file_1", name="x", kind="text/plain", content=b"x", at=0.0)


def prompt(**more) -> Prompt:
    found = MessagesFace().read(body(**more))
    assert isinstance(found, Prompt), found
    return found


def test_what_an_organisation_holds_exists_for_no_other():
    shelves = Shelves(lambda: "1")
    shelves.of("one").files["file_1"] = FILE
    source = {"type": "file", "file_id": "file_1"}
    asked = prompt(messages=[{"role": "user", "content": [{"type": "image", "source": source}]}])
    assert asked.files == ("file_1",)
    assert shelves.of("one").fault_of(asked) is None
    fault = shelves.of("two").fault_of(asked)
    assert fault is not None
    assert (fault.status, fault.kind) == (404, "not_found_error")


def test_a_container_is_made_where_code_runs_and_used_again_by_its_id():
    shelves = Shelves(lambda: "1")
    first = prompt(tools=[{"type": "code_execution_20260120", "name": "code"}])
    assert shelves.container_for("one", first) == "container_1"
    again = prompt(container={"id": "container_1"})
    assert shelves.of("one").fault_of(again) is None
    assert shelves.container_for("one", again) == "container_1"
    assert shelves.of("two").fault_of(again) is not None
    assert shelves.container_for("one", prompt()) is None


def test_a_thread_goes_on_only_after_an_answer_that_was_part_of_it():
    shelf = Shelf(threads={"msg_1"})
    for message, code in (("msg_1", None), ("msg_2", "thread_not_found")):
        asked = prompt(thread={"type": "continue", "previous_message_id": message})
        fault = shelf.fault_of(asked)
        assert (fault.error_code if fault is not None else None) == code


def test_a_cancelled_batch_has_ended_and_an_ended_one_is_not_cancelled():
    batch = SimBatch(id="b", requests=(("1", "m"),), at=0.0, ends_at=10.0)
    assert batch.cancelled(5.0).ends_at == 5.0
    assert batch.cancelled(11.0) is batch


def test_pages_go_from_the_newest_to_the_oldest_and_back():
    items = list("edcba")  # a is the newest

    def names(**query):
        return page(items, query, lambda one: one)

    assert names(limit="2") == (["a", "b"], True)
    assert names(limit="2", after_id="b") == (["c", "d"], True)
    assert names(limit="2", page="page_d") == (["e"], False)
    assert names(limit="2", before_id="d") == (["b", "c"], True)
    assert names(limit="9", before_id="c") == (["a", "b"], False)


@pytest.mark.parametrize(("query", "status"), [({"after_id": "z"}, 404), ({"limit": "0"}, 400)])
def test_a_cursor_or_limit_that_is_none_is_complained_about(query, status):
    found = page(["a"], query, lambda one: one)
    assert isinstance(found, Problem)
    assert found.status == status
