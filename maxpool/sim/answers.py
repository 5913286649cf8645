"""What the simulated model says: readable, deterministic text, thinking and tool calls.

The same question always gets the same words, streamed or not. Knows nothing of streams or API formats.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from maxpool.sim.promptcache import tokens_of
from maxpool.sim.prompts import dump

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.sim.plans import SimSettings
    from maxpool.sim.prompts import Prompt, Tool

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]

TOKEN_CHARS = 4
CORPUS_CHARS = 64 * 1024
LONGEST_ANSWER_TOKENS = CORPUS_CHARS // TOKEN_CHARS // 2

SUBJECTS = (
    "the parser|the queue|this test|the session|the cache|a retry|the schema|the index|the build|"
    "the worker|that lock|the stream|the header|the ledger|the timer|this branch"
)
VERBS = "reads|keeps|drops|measures|compares|moves|returns|rewrites|checks|holds|closes|explains|waits for"
OBJECTS = (
    "the first byte|every open handle|the older value|a smaller buffer|the next deadline|one more case|"
    "the same prefix|its own state|the failing path|the whole window|each new reading|the shared log"
)
TAILS = (
    "before anything else happens|so the result stays the same|while the others wait|"
    "without touching the disk|as the comment above says|only once per request|and nothing is lost|"
    "which is why the order matters|until the reset has passed|in the order they arrived"
)


class Prose:
    """A long text of plain sentences, written once from a seed, to take answers from."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"prose:{seed}")
        words = [part.split("|") for part in (SUBJECTS, VERBS, OBJECTS, TAILS)]
        sentences: list[str] = []
        starts: list[int] = []
        at = 0
        while at < CORPUS_CHARS:
            sentence = " ".join(rng.choice(part) for part in words).capitalize() + ". "
            starts.append(at)
            sentences.append(sentence)
            at += len(sentence)
        self._text = "".join(sentences)
        self._starts = [start for start in starts if start <= CORPUS_CHARS // 2]

    def take(self, rng: random.Random, tokens: int) -> str:
        """About `tokens` tokens of text, beginning with a sentence."""
        start = rng.choice(self._starts)
        return self._text[start : start + tokens * TOKEN_CHARS].rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One content block; `text` is the input as JSON for a tool call."""

    kind: Literal["thinking", "text", "tool_use"]
    text: str
    signature: str = ""
    tool_id: str = ""
    tool_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer; `output_tokens` counts hidden thinking too."""

    id: str
    blocks: tuple[Block, ...]
    stop_reason: StopReason
    output_tokens: int
    stop_sequence: str | None = None


def sign(model: str, thinking: str) -> str:
    """The signature of a thinking block: the same model and text always sign alike."""
    return hashlib.blake2b(f"{model}\n{thinking}".encode(), digest_size=48).hexdigest()


@dataclass(frozen=True, slots=True)
class Author:
    """Writes answers by the settings' lengths and markers."""

    settings: SimSettings
    prose: Prose
    seed: int

    def answer(self, prompt: Prompt, nth: int) -> Answer:
        """What the model says; `nth` only makes the ids unique."""
        last = prompt.pieces[-1].data if prompt.pieces else b""
        question = f"{self.seed}|{prompt.variant}|{len(prompt.pieces)}|".encode() + last
        rng = random.Random(hashlib.blake2b(question, digest_size=8).digest())
        identity = hashlib.blake2b(f"{self.seed}:{nth}".encode(), digest_size=12).hexdigest()
        budget = prompt.max_tokens if prompt.max_tokens is not None else LONGEST_ANSWER_TOKENS
        if self.settings.refusal_marker in prompt.asked:
            text = Block(kind="text", text="I cannot help with that."[: budget * TOKEN_CHARS])
            return _finished(identity, [text], "refusal")
        blocks: list[Block] = []
        if prompt.thinking != "off":
            thinking = self._think(prompt, rng, budget)
            blocks.append(thinking)
            budget -= tokens_of(len(thinking.text)) if thinking.text else 0
        return self._speak(prompt, rng, budget, identity, blocks)

    def _speak(
        self, prompt: Prompt, rng: random.Random, budget: int, identity: str, blocks: list[Block]
    ) -> Answer:
        wanted = self._draw(rng, self.settings.answer_tokens)
        calls = self._calls(prompt, rng, identity)
        text = self.prose.take(rng, min(wanted, 24) if calls else wanted)
        if prompt.schema is not None:
            text = dump(_object(prompt.schema, rng)).decode()
        text, stop = _until(text, prompt.stop_sequences)
        cut = len(text) > budget * TOKEN_CHARS
        if budget > 0:
            blocks.append(Block(kind="text", text=text[: budget * TOKEN_CHARS]))
        if cut:
            return _finished(identity, blocks, "max_tokens")
        if stop is not None:
            return _finished(identity, blocks, "stop_sequence", stop)
        if calls:
            return _finished(identity, [*blocks, *calls], "tool_use")
        return _finished(identity, blocks, "end_turn")

    def _think(self, prompt: Prompt, rng: random.Random, budget: int) -> Block:
        text = self.prose.take(rng, min(self._draw(rng, self.settings.thinking_tokens), budget))
        shown = text if prompt.thinking == "shown" else ""
        return Block(kind="thinking", text=shown, signature=sign(prompt.model, shown))

    def _calls(self, prompt: Prompt, rng: random.Random, identity: str) -> list[Block]:
        asked = prompt.asked.lower()
        every = self.settings.all_tools_marker in asked
        if not prompt.tools or not (every or self.settings.tool_marker in asked):
            return []
        return [
            Block(
                kind="tool_use",
                text=dump(_arguments(tool, rng)).decode(),
                tool_id=f"toolu_{identity}{number:02}",
                tool_name=tool.name,
            )
            for number, tool in enumerate(prompt.tools if every else prompt.tools[:1])
        ]

    def _draw(self, rng: random.Random, bounds: tuple[int, int]) -> int:
        low, high = (math.log(max(1, bound)) for bound in bounds)
        return min(round(math.exp(rng.uniform(low, high))), LONGEST_ANSWER_TOKENS)


def _finished(
    identity: str, blocks: list[Block], reason: StopReason, stop_sequence: str | None = None
) -> Answer:
    tokens = sum(tokens_of(len(block.text)) for block in blocks if block.text)
    return Answer(
        id=identity,
        blocks=tuple(blocks),
        stop_reason=reason,
        output_tokens=max(1, tokens),
        stop_sequence=stop_sequence,
    )


def _until(text: str, stop_sequences: tuple[str, ...]) -> tuple[str, str | None]:
    found = [(text.find(stop), stop) for stop in stop_sequences if stop and stop in text]
    if not found:
        return text, None
    at, stop = min(found)
    return text[:at], stop


def _arguments(tool: Tool, rng: random.Random) -> dict[str, Any]:
    return _object(tool.schema, rng)


def _object(of: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    properties = of.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {str(name): _argument(str(name), schema, rng) for name, schema in properties.items()}


def _argument(name: str, schema: object, rng: random.Random) -> object:
    spec: Mapping[str, Any] = schema if isinstance(schema, dict) else {}
    choices = spec.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    match spec.get("type"):
        case "integer" | "number":
            return rng.randint(1, 9)
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
        case _:
            return f"example {name}"
