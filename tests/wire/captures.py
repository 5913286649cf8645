"""Requests of real clients, rebuilt to their shape and size from redacted recordings.

tests/fixtures/requests.json holds headers and body shapes (Claude Code 2.1.329,
Codex 0.169.0, OpenCode 1.18.33 and the Python SDKs, November 2026); every text is filler of the recorded length.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent.parent / "fixtures" / "requests.json"
SESSION = "0b7e52a4-9a55-4b5e-8a44-2f0e1f1c9d11"


def recorded(client: str, note: str | None = None) -> dict[str, Any]:
    """One recorded request by client name and note."""
    rows: list[dict[str, Any]] = json.loads(RECORDED.read_text())
    return next(r for r in rows if r["client"].startswith(client) and r.get("note") == note)


def fields(row: dict[str, Any]) -> dict[str, str]:
    """Its headers, lower case, placeholders filled in."""
    return {name.lower(): _real(value) for name, value in row["headers"]}


def body(row: dict[str, Any]) -> bytes:
    """A body of its shape, padded to its size in the first tool's description or last text."""
    made: dict[str, Any] = {key: _fill(value) for key, value in row["shape"].items()}
    if row.get("metadata_user_id"):
        made["metadata"] = {"user_id": _real(row["metadata_user_id"])}
    if row.get("system_blocks"):
        texts = [block.get("text", "s" * block["chars"]) for block in row["system_blocks"]]
        made["system"] = [
            block | {"text": text} for block, text in zip(made["system"], texts, strict=True)
        ]
    if row.get("tool_names"):
        made["tools"] = [
            {"name": name, "description": "", "input_schema": {"type": "object"}}
            for name in row["tool_names"]
        ]
        missing = row["body_bytes"] - len(json.dumps(made, separators=(",", ":")))
        made["tools"][0]["description"] = "d" * max(missing, 0)
    return json.dumps(made, separators=(",", ":")).encode()


def _real(value: str) -> str:
    return value.replace("<uuid-1>", SESSION).replace("<ses>", "ses_1").replace("<hex64>", "a" * 64)


def _fill(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _fill(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one) for one in value]
    if isinstance(value, str) and value.startswith("<str "):
        return "x" * int(value[5:-1])
    if isinstance(value, str) and value.startswith("<object"):
        return {"type": "text", "text": "hello"}
    return value
