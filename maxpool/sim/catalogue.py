"""The lists of models, in the two shapes clients ask for.

Values to JSON only; who may use which model is the account's business.
"""

from __future__ import annotations

from typing import Any

CREATED_AT = "2026-01-01T00:00:00Z"
CREATED = 1_767_225_600


def anthropic_models(names: tuple[str, ...]) -> dict[str, Any]:
    """`GET /v1/models` of the Messages API; patterns are no names and are left out."""
    data = [
        {
            "type": "model",
            "id": name,
            "display_name": name.replace("-", " ").title(),
            "created_at": CREATED_AT,
        }
        for name in names
        if "*" not in name
    ]
    return {
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def openai_models(names: tuple[str, ...]) -> dict[str, Any]:
    """`GET /v1/models` of an OpenAI-format API."""
    data = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "simulated"}
        for name in names
        if "*" not in name
    ]
    return {"object": "list", "data": data}
