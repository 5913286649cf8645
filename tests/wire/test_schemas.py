"""wire/schemas: objects of a schema are closed, everything else stays."""

from __future__ import annotations

from typing import Any

from maxpool.wire.schemas import MAX_DEPTH, closed


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_every_object_that_lists_properties_is_closed():
    schema = thing(
        a=thing(), b={"type": "array", "items": thing()}, c={"anyOf": [thing(), {"type": "null"}]}
    ) | {"$defs": {"d": thing()}}
    made = closed(schema)
    inner = made["properties"]
    for one in (made, inner["a"], inner["b"]["items"], inner["c"]["anyOf"][0], made["$defs"]["d"]):
        assert one["additionalProperties"] is False


def test_what_a_schema_says_of_others_stays():
    schema = thing() | {"additionalProperties": {"type": "string"}}
    assert closed(schema) == schema


def test_a_free_map_stays_open():
    assert closed({"type": "object"}) == {"type": "object"}


def test_the_schema_given_is_not_changed():
    schema = thing(a=thing())
    closed(schema)
    assert schema == thing(a=thing())


def test_a_property_may_have_the_name_of_a_keyword():
    made = closed(thing(properties={"type": "string"}, items={"type": "number"}))
    assert made["properties"]["items"] == {"type": "number"}


def test_a_bottomless_schema_ends():
    schema: dict[str, Any] = {}
    for _ in range(10 * MAX_DEPTH):
        schema = {"items": schema}
    assert "items" in closed(schema)
