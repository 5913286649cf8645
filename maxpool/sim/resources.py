"""`/v1/messages/batches` and `/v1/files` of the simulated upstream, each bound to its account.

Shapes: anthropic-py 2.12, `types/messages/message_batch.py`, `types/file_metadata.py`. A batch's answers
are invented at once and told when it has ended.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from maxpool.sim.generation import read_body, version_problem
from maxpool.sim.messages import MessagesFace
from maxpool.sim.problems import Problem, invalid_request
from maxpool.sim.prompts import dump
from maxpool.sim.ratelimits import rfc3339
from maxpool.sim.shelf import Shelf, SimBatch, SimFile, missing, page

if TYPE_CHECKING:
    from starlette.responses import Response

    from maxpool.sim.visits import Visit, World

BATCHES = "/v1/messages/batches"
FILES = "/v1/files"
BATCH_LIFE_S = 86_400.0
_BOUNDARY = re.compile(r'multipart/form-data;.*boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb'filename="([^"]*)"')
_KIND = re.compile(rb"content-type:\s*(\S+)", re.IGNORECASE)


def batches(world: World, visit: Visit) -> Response:
    """Everything under the batches' path."""
    return _answered(world, visit, _batch)


def files(world: World, visit: Visit) -> Response:
    """Everything under the files' path."""
    return _answered(world, visit, _file)


def _answered(world: World, visit: Visit, ask: Any) -> Response:  # noqa: ANN401
    problem = visit.caller if isinstance(visit.caller, Problem) else version_problem(visit)
    if problem is None:
        assert not isinstance(visit.caller, Problem)
        shelf = world.shelves.of(visit.caller.state.account.organization_id)
        problem = ask(world, visit, shelf)
    if isinstance(problem, Problem):
        return world.refuse(visit, MessagesFace(), problem)
    if isinstance(problem, tuple):
        return world.answer(visit, problem[0], problem[1])
    return world.answer(visit, dump(problem))


def _parts(visit: Visit, root: str) -> list[str]:
    return [part for part in visit.seen.path.removeprefix(root).split("/") if part]


def _query(visit: Visit) -> dict[str, str]:
    return dict(parse_qsl(visit.seen.query))


def _nothing(visit: Visit) -> Problem:
    return Problem(
        status=405,
        kind="invalid_request_error",
        message=f"Method Not Allowed: {visit.seen.method}",
    )


# -- batches -----------------------------------------------------------------------------------------


def _batch(world: World, visit: Visit, shelf: Shelf) -> Any:  # noqa: ANN401
    now = world.clock.now()
    match visit.seen.method, _parts(visit, BATCHES):
        case "POST", []:
            return _new_batch(world, visit, shelf)
        case "GET", []:
            return _batch_list(visit, shelf, now)
        case _, [name, *_] if name not in shelf.batches:
            return missing(f"Batch not found: {name}")
        case method, [name, *rest]:
            return _one_batch(visit, shelf, (method, name, *rest), now)
        case _:
            return _nothing(visit)


def _one_batch(visit: Visit, shelf: Shelf, asked: tuple[str, ...], now: float) -> Any:  # noqa: ANN401
    match asked:
        case "GET", name:
            return _told_batch(shelf.batches[name], visit, now)
        case "POST", name, "cancel":
            shelf.batches[name] = shelf.batches[name].cancelled(now)
            return _told_batch(shelf.batches[name], visit, now)
        case "GET", name, "results" if now >= shelf.batches[name].ends_at:
            return _results(shelf.batches[name]), "application/x-jsonl"
        case "DELETE", name:
            del shelf.batches[name]
            return {"id": name, "type": "message_batch_deleted"}
        case _:
            return _nothing(visit)


def _new_batch(world: World, visit: Visit, shelf: Shelf) -> Any:  # noqa: ANN401
    body = read_body(world, visit)
    if isinstance(body, Problem):
        return body
    requests = body.get("requests")
    if not isinstance(requests, list) or not requests:
        return invalid_request("requests: Field required")
    asked = []
    for one in requests:
        params = one.get("params") if isinstance(one, dict) else None
        if not isinstance(params, dict) or not isinstance(params.get("model"), str):
            return invalid_request("requests.0.params: Field required")
        asked.append((str(one.get("custom_id")), params["model"]))
    now = world.clock.now()
    batch = SimBatch(
        id=f"msgbatch_{world.shelves.new_id()}",
        requests=tuple(asked),
        at=now,
        ends_at=now + world.settings.batch_takes_s,
    )
    shelf.batches[batch.id] = batch
    return _told_batch(batch, visit, now)


def _told_batch(batch: SimBatch, visit: Visit, now: float) -> dict[str, Any]:
    ended, n = now >= batch.ends_at, len(batch.requests)
    cancelled = batch.cancelled_at is not None
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    counts["canceled" if cancelled else "succeeded" if ended else "processing"] = n
    url = f"http://{visit.seen.header('host')}{BATCHES}/{batch.id}/results"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if ended else "in_progress",
        "request_counts": counts,
        "created_at": rfc3339(batch.at),
        "expires_at": rfc3339(batch.at + BATCH_LIFE_S),
        "ended_at": rfc3339(batch.ends_at) if ended else None,
        "cancel_initiated_at": rfc3339(batch.ends_at) if cancelled else None,
        "archived_at": None,
        "results_url": url if ended else None,
    }


def _batch_list(visit: Visit, shelf: Shelf, now: float) -> dict[str, Any] | Problem:
    paged = page(list(shelf.batches.values()), _query(visit), lambda one: one.id)
    if isinstance(paged, Problem):
        return paged
    found, more = paged
    return {
        "data": [_told_batch(one, visit, now) for one in found],
        "has_more": more,
        "first_id": found[0].id if found else None,
        "last_id": found[-1].id if found else None,
    }


def _results(batch: SimBatch) -> bytes:
    lines = []
    for custom_id, model in batch.requests:
        message = {
            "id": f"msg_{batch.id}_{custom_id}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": f"An answer to {custom_id}."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "output_tokens": 5},
        }
        result: dict[str, Any] = {"type": "succeeded", "message": message}
        if batch.cancelled_at is not None:
            result = {"type": "canceled"}
        lines.append(dump({"custom_id": custom_id, "result": result}))
    return b"\n".join(lines) + b"\n"


# -- files -------------------------------------------------------------------------------------------


def _file(world: World, visit: Visit, shelf: Shelf) -> Any:  # noqa: ANN401
    match visit.seen.method, _parts(visit, FILES):
        case "POST", []:
            return _new_file(world, visit, shelf)
        case "GET", []:
            return _file_list(visit, shelf)
        case _, [name, *_] if name not in shelf.files:
            return missing(f"File not found: {name}")
        case method, [name, *rest]:
            return _one_file(visit, shelf, (method, name, *rest))
        case _:
            return _nothing(visit)


def _one_file(visit: Visit, shelf: Shelf, asked: tuple[str, ...]) -> Any:  # noqa: ANN401
    match asked:
        case "GET", name:
            return _told_file(shelf.files[name])
        case "GET", name, "content":
            return shelf.files[name].content, shelf.files[name].kind
        case "DELETE", name:
            del shelf.files[name]
            return {"id": name, "type": "file_deleted"}
        case _:
            return _nothing(visit)


def _visible(visit: Visit, shelf: Shelf) -> list[SimFile]:
    wanted = [value for name, value in parse_qsl(visit.seen.query) if name in ("ids", "ids[]")]
    return [one for one in shelf.files.values() if not wanted or one.id in wanted]


def _new_file(world: World, visit: Visit, shelf: Shelf) -> Any:  # noqa: ANN401
    boundary = _BOUNDARY.match(visit.seen.header("content-type") or "")
    if boundary is None:
        return invalid_request("The request body is not valid multipart/form-data")
    for part in visit.seen.body.split(b"--" + boundary[1].encode()):
        head, _, content = part.removesuffix(b"\r\n").partition(b"\r\n\r\n")
        name, kind = _NAME.search(head), _KIND.search(head)
        if name is not None:
            told = SimFile(
                id=f"file_{world.shelves.new_id()}",
                name=name[1].decode(),
                kind=kind[1].decode() if kind is not None else "application/octet-stream",
                content=content,
                at=world.clock.now(),
            )
            shelf.files[told.id] = told
            return _told_file(told)
    return invalid_request("file: Field required")


def _told_file(told: SimFile) -> dict[str, Any]:
    return {
        "id": told.id,
        "type": "file",
        "filename": told.name,
        "mime_type": told.kind,
        "size_bytes": len(told.content),
        "created_at": rfc3339(told.at),
        "downloadable": True,
    }


def _file_list(visit: Visit, shelf: Shelf) -> dict[str, Any] | Problem:
    paged = page(_visible(visit, shelf), _query(visit), lambda one: one.id)
    if isinstance(paged, Problem):
        return paged
    found, more = paged
    last = found[-1].id if found else None
    return {
        "data": [_told_file(one) for one in found],
        "has_more": more,
        "first_id": found[0].id if found else None,
        "last_id": last,
        "next_page": f"page_{last}" if more else None,
    }
