"""A lively workload for the demo: invented sessions that grow, pause, branch and end.

Step logic only: a lane says which requests to send now, the driver sends them through the proxy and
steps again. Bodies have the shape that coding agents send (three system blocks, a dozen tools, cache
breakpoints, growing messages); the client calls itself what it is, `maxpool-demo`.
"""

from __future__ import annotations

import random
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal

from maxpool.sim.answers import Prose
from maxpool.sim.prompts import dump

USER_AGENT = "maxpool-demo/0.1"
VERSION = "2023-06-01"
TOOL_NAMES = [
    "Agent",
    "Bash",
    "Edit",
    "Glob",
    "Grep",
    "ListAgents",
    "Read",
    "Report",
    "Schedule",
    "Search",
    "Write",
    "Workflow",
]
INSTRUCTION_TOKENS = 1750  # about 7,000 characters, as real system prompts have
TOOL_TOKENS = 300

Life = Literal["5m", "1h"]


@dataclass(frozen=True, slots=True)
class SimTurn:
    """One request to send: wait `pause_s`, then POST `body` with `headers` to /v1/messages.

    `headers` hold no credential. `agent` is set for sub-agents, `session` is None for one-shots.
    """

    session: str | None
    agent: str | None
    model: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSettings:
    """How lively it is; seconds, tokens, shares and counts as the names say."""

    coders: int = 6  # lanes with long agent sessions
    scripts: int = 2  # lanes with one-shot requests
    speed: float = 1.0  # divides every pause
    think_median_s: float = 4.0  # a person's pause; real ones take minutes
    think_sigma: float = 0.9
    tool_pause_s: float = 0.4  # between the turns of a tool loop
    script_gap_s: float = 5.0
    first_context_tokens: tuple[int, int] = (1500, 6000)  # beyond system and tools
    step_tokens: tuple[int, int] = (150, 2200)  # what a turn adds
    longest_body_bytes: int = 150_000  # then the session is compacted
    session_turns: tuple[int, int] = (10, 45)
    tool_loop_share: float = 0.6  # turns that follow a tool call at once
    branch_share: float = 0.08  # turns that start sub-agents
    branch_width: tuple[int, int] = (1, 3)
    branch_turns: tuple[int, int] = (2, 8)
    long_life_share: float = 0.25  # sessions that ask for the 1 h cache
    answer_limit_tokens: int = 4096
    models: tuple[tuple[str, float], ...] = (
        ("claude-opus-5-5", 0.35),
        ("claude-sonnet-5-5", 0.5),
        ("claude-haiku-5-5", 0.15),
    )
    script_model: str = "claude-haiku-5-5"


class Traffic:
    """All lanes of a workload. The driver runs each lane on its own."""

    def __init__(self, seed: int = 0, settings: TrafficSettings | None = None) -> None:
        settings = settings if settings is not None else TrafficSettings()
        library = Library(Prose(seed))
        self.lanes: list[Lane] = [
            CoderLane(settings, library, random.Random(f"{seed}:coder:{n}"))
            for n in range(settings.coders)
        ]
        self.lanes += [
            ScriptLane(settings, library, random.Random(f"{seed}:script:{n}"))
            for n in range(settings.scripts)
        ]


class Lane(ABC):
    """One line of work that never ends."""

    @abstractmethod
    def step(self) -> tuple[SimTurn, ...]:
        """Requests to send side by side; step again when all were answered."""


class Library:
    """The texts all sessions share: instructions and tools, as one program's sessions do."""

    def __init__(self, prose: Prose) -> None:
        rng = random.Random("library")
        self.prose = prose
        self._instructions = prose.take(rng, INSTRUCTION_TOKENS)
        self.tools = [_tool(name, prose.take(rng, TOOL_TOKENS)) for name in TOOL_NAMES]

    def system(self, session: str, control: dict[str, Any], *, agent: bool) -> list[dict[str, Any]]:
        """Three blocks: a stable label, one line, and the long instructions."""
        label = f"workload: {USER_AGENT}; kind={'agent' if agent else 'main'}; id={session[:8]}"
        role = "You are a helper in a demonstration. " + ("Report back." if agent else "Be brief.")
        return [
            {"type": "text", "text": label},
            {"type": "text", "text": role, "cache_control": control},
            {"type": "text", "text": self._instructions, "cache_control": control},
        ]


@dataclass(slots=True)
class Conversation:
    """One growing context: the main thread of a session or one of its sub-agents."""

    settings: TrafficSettings
    library: Library
    rng: random.Random
    session: str
    agent: str | None
    model: str
    life: Life
    turns_left: int
    messages: list[dict[str, Any]] = field(default_factory=list)
    in_loop: bool = False

    def turn(self) -> SimTurn:
        """Grow by one exchange and ask again; the pause is a person's unless a tool ran."""
        pause_s = self._pause()
        if not self.messages:
            self._ask(self._draw(self.settings.first_context_tokens))
        else:
            self._continue()
        body = dump(self._request())
        if len(body) > self.settings.longest_body_bytes:
            self._compact()
            body = dump(self._request())
        self.turns_left -= 1
        return SimTurn(self.session, self.agent, self.model, self._headers(), body, pause_s)

    def _continue(self) -> None:
        self.in_loop = self.rng.random() < self.settings.tool_loop_share
        tokens = self._draw(self.settings.step_tokens)
        if not self.in_loop:
            self._say([_text(self._write(max(40, tokens // 6)))])
            self._ask(tokens // 4)
            return
        call_id = f"toolu_{self.rng.getrandbits(96):024x}"
        name = self.rng.choice(TOOL_NAMES)
        call = {"type": "tool_use", "id": call_id, "name": name, "input": {"text": "example text"}}
        self._say([_text(self._write(30)), call])
        result = {"type": "tool_result", "tool_use_id": call_id, "content": self._write(tokens)}
        self.messages.append({"role": "user", "content": [result]})

    def _ask(self, tokens: int) -> None:
        wish = "Please use a tool. " if self.rng.random() < self.settings.tool_loop_share else ""
        self.messages.append({"role": "user", "content": [_text(wish + self._write(tokens))]})

    def _say(self, content: list[dict[str, Any]]) -> None:
        self.messages.append({"role": "assistant", "content": content})

    def _compact(self) -> None:
        summary = "This conversation was summarised. " + self._write(1500)
        self.messages = [{"role": "user", "content": [_text(summary)]}]

    def _request(self) -> dict[str, Any]:
        control: dict[str, Any] = {"type": "ephemeral"}
        if self.life == "1h":
            control["ttl"] = "1h"
        *earlier, last = self.messages
        content = [*last["content"][:-1], {**last["content"][-1], "cache_control": control}]
        user = {"device_id": "", "account_uuid": "", "session_id": self.session}
        return {
            "model": self.model,
            "messages": [*earlier, {**last, "content": content}],
            "system": self.library.system(self.session, control, agent=self.agent is not None),
            "tools": self.library.tools,
            "metadata": {"user_id": dump(user).decode()},
            "max_tokens": self.settings.answer_limit_tokens,
            "stream": True,
        }

    def _headers(self) -> tuple[tuple[str, str], ...]:
        # The one header name there is for a sub-agent; the user-agent says who sends it.
        own = (("x-claude-code-agent-id", self.agent),) if self.agent is not None else ()
        return (*_headers(), ("x-maxpool-session", self.session), *own)

    def _pause(self) -> float:
        if self.in_loop or self.agent is not None:
            return self.settings.tool_pause_s / self.settings.speed
        think_s = self.rng.lognormvariate(0.0, self.settings.think_sigma)
        return self.settings.think_median_s * think_s / self.settings.speed

    def _write(self, tokens: int) -> str:
        return self.library.prose.take(self.rng, tokens)

    def _draw(self, bounds: tuple[int, int]) -> int:
        return self.rng.randint(*bounds)


class CoderLane(Lane):
    """Long sessions one after another; each may run sub-agents beside its main thread."""

    def __init__(self, settings: TrafficSettings, library: Library, rng: random.Random) -> None:
        self._settings = settings
        self._library = library
        self._rng = rng
        self._agents: list[Conversation] = []
        self._main = self._session()

    def step(self) -> tuple[SimTurn, ...]:
        """The main thread's next request and one of each sub-agent at work."""
        if self._main.turns_left <= 0:
            self._agents.clear()
            self._main = self._session()
        if self._rng.random() < self._settings.branch_share and not self._agents:
            self._branch()
        turns = (self._main.turn(), *(agent.turn() for agent in self._agents))
        self._agents = [agent for agent in self._agents if agent.turns_left > 0]
        return turns

    def _session(self) -> Conversation:
        names, shares = zip(*self._settings.models, strict=True)
        long = self._rng.random() < self._settings.long_life_share
        return Conversation(
            self._settings,
            self._library,
            self._rng,
            session=str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            agent=None,
            model=self._rng.choices(names, shares)[0],
            life="1h" if long else "5m",
            turns_left=self._rng.randint(*self._settings.session_turns),
        )

    def _branch(self) -> None:
        for _ in range(self._rng.randint(*self._settings.branch_width)):
            self._agents.append(
                Conversation(
                    self._settings,
                    self._library,
                    self._rng,
                    session=self._main.session,
                    agent=f"{self._rng.getrandbits(68):017x}",
                    model=self._main.model,
                    life="5m",
                    turns_left=self._rng.randint(*self._settings.branch_turns),
                )
            )


class ScriptLane(Lane):
    """One-shot requests, as a script with an SDK sends them: no session, no cache, no stream."""

    def __init__(self, settings: TrafficSettings, library: Library, rng: random.Random) -> None:
        self._settings = settings
        self._library = library
        self._rng = rng

    def step(self) -> tuple[SimTurn, ...]:
        """One request."""
        text = self._library.prose.take(self._rng, self._rng.randint(1300, 5000))
        body = {
            "model": self._settings.script_model,
            "max_tokens": self._settings.answer_limit_tokens,
            "messages": [{"role": "user", "content": "Sum this up: " + text}],
        }
        pause_s = self._rng.expovariate(1.0 / self._settings.script_gap_s) / self._settings.speed
        return (SimTurn(None, None, self._settings.script_model, _headers(), dump(body), pause_s),)


def _headers() -> tuple[tuple[str, str], ...]:
    return (
        ("content-type", "application/json"),
        ("user-agent", USER_AGENT),
        ("anthropic-version", VERSION),
    )


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _tool(name: str, description: str) -> dict[str, Any]:
    properties = {"text": {"type": "string", "description": "what to work on"}}
    schema = {"type": "object", "properties": properties, "required": ["text"]}
    return {"name": name, "description": description, "input_schema": schema}
