"""A model call from reading to delivery, the same for every API format.

Fault, caller, reading, answer, admission, script, damage: a straight line that returns at the first
problem. What a format looks like is its face's business.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from maxpool.sim.answers import TOKEN_CHARS
from maxpool.sim.damage import damage
from maxpool.sim.delivery import Chunk, Head, Pause, Script, whole
from maxpool.sim.faults import ErrorEventFault
from maxpool.sim.messages import VERSIONS, MessagesFace
from maxpool.sim.problems import Problem, invalid_request
from maxpool.sim.prompts import Reply, read_object

if TYPE_CHECKING:
    from typing import Any

    from maxpool.sim.accounts import SimState
    from maxpool.sim.delivery import Delivery
    from maxpool.sim.problems import HeaderList
    from maxpool.sim.prompts import Face, Prompt
    from maxpool.sim.visits import Visit, World


def generate(world: World, visit: Visit, face: Face) -> Delivery:
    """Answer one model call."""
    scripted = world.scripted(visit, visit.seen.model or "")
    if scripted is not None:
        return world.refuse(visit, face, scripted)
    if isinstance(visit.caller, Problem):
        return world.refuse(visit, face, visit.caller)
    state, now = visit.caller.state, world.clock.now()
    prompt = _prompt(world, visit, face, state)
    if isinstance(prompt, Problem):
        return world.refuse(visit, face, prompt.with_headers(state.headers("", now)))
    if isinstance(visit.fault, ErrorEventFault) and not prompt.stream:
        return world.refuse(visit, face, visit.fault.problem)
    answer = world.author.answer(prompt, visit.nth)
    usage = state.admit(prompt, answer.output_tokens, now)
    if isinstance(usage, Problem):
        return world.refuse(visit, face, usage)
    organization = state.account.organization_id
    container = world.shelves.container_for(organization, prompt)
    if prompt.threaded:
        world.shelves.of(organization).threads.add(f"msg_{answer.id}")
    reply = Reply(prompt=prompt, answer=answer, usage=usage, at=now, container=container)
    script = _script(world, visit, face, reply)
    return world.deliver(visit, script, lambda gone: state.leave(gone=gone))


def messages_face(world: World, visit: Visit) -> MessagesFace:
    """The Messages API in the version the request names."""
    version = visit.seen.header("anthropic-version") or VERSIONS[0]
    return MessagesFace(version=version, check_signatures=world.settings.check_signatures)


def read_body(world: World, visit: Visit) -> dict[str, Any] | Problem:
    """The request's JSON object."""
    content = world.content(visit)
    if isinstance(content, Problem):
        return content
    body = read_object(content)
    if body is None:
        return invalid_request("The request body is not valid JSON")
    return body


def version_problem(visit: Visit) -> Problem | None:
    """400 when `anthropic-version` is missing or unknown."""
    version = visit.seen.header("anthropic-version")
    if version is None:
        return invalid_request("anthropic-version: header is required")
    if version not in VERSIONS:
        return invalid_request(f'anthropic-version: "{version}" is not a valid version')
    return None


def _prompt(world: World, visit: Visit, face: Face, state: SimState) -> Prompt | Problem:
    if isinstance(face, MessagesFace) and state.account.plan != "provider":
        problem = version_problem(visit)
        if problem is not None:
            return problem
    body = read_body(world, visit)
    prompt = body if isinstance(body, Problem) else face.read(body)
    if isinstance(prompt, Problem):
        return prompt
    return world.shelves.of(state.account.organization_id).fault_of(prompt) or prompt


def _script(world: World, visit: Visit, face: Face, reply: Reply) -> Script:
    assert not isinstance(visit.caller, Problem)
    limits = visit.caller.state.headers(reply.prompt.model, reply.at)
    headers = (*visit.common_headers, *limits)
    write = _stream if reply.prompt.stream else _document
    script = write(world, face, reply, headers, _pace(world, visit.nth))
    script = [step for step in script if step != Pause(0.0)]
    if visit.fault is not None:
        event = b""
        if isinstance(visit.fault, ErrorEventFault):
            event = face.complaint_event(visit.fault.problem)
        script = damage(visit.fault, script, event)
    return world.encoded(visit, script)


def _stream(world: World, face: Face, reply: Reply, headers: HeaderList, pace: float) -> Script:
    settings = world.settings
    own = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
    script: Script = [
        Pause(settings.time_to_first_token_s * pace),
        Head(200, (*headers, *own)),
    ]
    for frame in face.frames(reply, settings.chunk_tokens * TOKEN_CHARS):
        if settings.tokens_per_s > 0:
            script.append(Pause(frame.tokens * pace / settings.tokens_per_s))
        script.append(Chunk(frame.data, frame.kind))
    return script


def _document(world: World, face: Face, reply: Reply, headers: HeaderList, pace: float) -> Script:
    wait_s = world.settings.time_to_first_token_s
    if world.settings.tokens_per_s > 0:
        wait_s += reply.usage.output / world.settings.tokens_per_s
    json = (*headers, ("content-type", "application/json"))
    return [Pause(wait_s * pace), *whole(200, json, face.document(reply))]


def _pace(world: World, nth: int) -> float:
    jitter = world.settings.speed_jitter
    if jitter <= 0:
        return 1.0
    return random.Random(f"{world.author.seed}:pace:{nth}").uniform(1 - jitter, 1 + jitter)
