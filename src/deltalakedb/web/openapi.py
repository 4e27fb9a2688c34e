"""What the JSON twins look like, for programs."""

from __future__ import annotations

from typing import Any

_ID = {"name": "id", "in": "query", "required": True, "schema": {"type": "string"}, "description": "The table id."}
_OBJECT = {"schema": {"type": "object"}}


def _asked(summary: str, parameters: list[dict[str, Any]], *, found: str) -> dict[str, Any]:
    return {
        "get": {
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": {"description": found, "content": {"application/json": _OBJECT}},
                "404": {"description": "Nobody knows the table.", "content": {"application/json": _OBJECT}},
                "503": {"description": "The catalog can't be read.", "content": {"application/json": _OBJECT}},
            },
        }
    }


def _text(summary: str) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": {"200": {"description": summary, "content": {"text/plain": {}}}}}}


_LAKE = [
    {"name": "search", "in": "query", "schema": {"type": "string"}, "description": "A part of the table id."},
    {
        "name": "status",
        "in": "query",
        "schema": {"type": "string", "enum": ["completed", "running", "failed", "interrupted"]},
    },
    {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 0}},
]

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "deltalakedb", "version": "1", "description": "A read-only look at a catalog."},
    "paths": {
        "/api/lake": _asked("The lake", _LAKE, found="Totals, what runs, problems, and a page of tables."),
        "/api/table": _asked("A table", [_ID], found="Status, last validation, and the state of the table."),
        "/metrics": _text("Metrics for Prometheus."),
        "/healthz": _text("The server runs."),
        "/readyz": _text("The catalog can be read."),
    },
    "components": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {"type": "http", "scheme": "basic"},
        }
    },
}
