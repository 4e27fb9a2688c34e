"""A schema string as people read it, and what has changed from one to the next."""

from __future__ import annotations

import json
from typing import Any

Column = dict[str, Any]


def columns(schema_string: str | None) -> list[Column]:
    """Returns the columns of a schema: `name`, `type` in the words of SQL, `nullable`, `comment`, `id`.

    `id` is that of column mapping, by which a column is known under another name. Of a schema that nobody can read,
    there are none.
    """
    try:
        fields = json.loads(schema_string or "{}").get("fields", [])
        return [_column(field) for field in fields]
    except (ValueError, TypeError, AttributeError, KeyError):
        return []


def changes(before: list[Column], after: list[Column]) -> dict[str, list[Column]]:
    """Returns what was `added`, `dropped`, `renamed` and `altered` from one schema to the next."""
    old, new = {one["name"]: one for one in before}, {one["name"]: one for one in after}
    known = {one["id"]: one["name"] for one in before if one["id"] is not None}
    renamed = {one["name"]: known[one["id"]] for one in after if one["name"] not in old and one["id"] in known}
    renamed = {name: was for name, was in renamed.items() if was not in new}
    pairs = [(old[renamed.get(name, name)], one) for name, one in new.items() if renamed.get(name, name) in old]
    return {
        "added": [_short(one) for name, one in new.items() if name not in old and name not in renamed],
        "dropped": [_short(one) for name, one in old.items() if name not in new and name not in renamed.values()],
        "renamed": [{"name": name, "before": was} for name, was in renamed.items()],
        "altered": [
            {"name": one["name"], "before": _type(was), "after": _type(one)}
            for was, one in pairs
            if _type(was) != _type(one)
        ],
    }


def _column(field: dict[str, Any]) -> Column:
    noted = field.get("metadata") or {}
    return {
        "name": str(field["name"]),
        "type": _in_words(field["type"]),
        "nullable": bool(field.get("nullable", True)),
        "comment": noted.get("comment"),
        "id": noted.get("delta.columnMapping.id"),
    }


def _short(column: Column) -> Column:
    return {"name": column["name"], "type": column["type"]}


def _type(column: Column) -> str:
    return str(column["type"]) + ("" if column["nullable"] else " not null")


def _in_words(kind: Any) -> str:
    """Returns `array<struct<a: long>>` for what the log has as an object."""
    if isinstance(kind, str):
        return kind
    if kind["type"] == "array":
        return f"array<{_in_words(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_in_words(kind['keyType'])}, {_in_words(kind['valueType'])}>"
    fields = (f"{field['name']}: {_in_words(field['type'])}" for field in kind["fields"])
    return f"struct<{', '.join(fields)}>"
