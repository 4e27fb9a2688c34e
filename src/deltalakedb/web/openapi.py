"""What the JSON twins look like, for programs."""

from __future__ import annotations

from typing import Any

from ..catalog.events import Event
from ..catalog.overview import SORTS
from ..catalog.problems import KINDS
from .documents import FILTERS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_YES_NO: Schema = {"type": "boolean"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_ANY: Schema = {}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]} if "type" in schema else {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _all(schema: Schema, *names: str) -> dict[str, Schema]:
    return dict.fromkeys(names, schema)


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _enum(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


_STATUS = _enum("completed", "running", "failed", "interrupted")
_COLUMN = _object(name=_TEXT, type=_TEXT)

# The fields of `migration-status --output json`, which are those of a table everywhere.
_OF_TABLE: dict[str, Schema] = {
    **_all(_TEXT, "table_id", "location"),
    "status": _STATUS,
    "version": _or_null(_WHOLE),
    "files_processed": _WHOLE,
    "started_at": _TIME,
    "completed_at": _or_null(_TIME),
    "error_message": _or_null(_TEXT),
    **_all(_WHOLE, "active_files", "active_bytes"),
}
_RATES = _all(_NUMBER, "files_per_second", "commits_per_second", "log_bytes_per_second")

_SCHEMAS: dict[str, Schema] = {
    "Error": _object(error=_object(type=_TEXT, message=_TEXT)),
    "Problem": _object(kind=_enum(*KINDS), table_id=_or_null(_TEXT), message=_TEXT),
    "Running": _object(
        table_id=_TEXT,
        doing=_enum("import", "sync"),
        **_all(_WHOLE, "commits_processed", "files_processed", "log_bytes_processed"),
        **_all(_or_null(_WHOLE), "commits_total", "log_bytes_total"),
        **_all(_or_null(_NUMBER), "share", *_RATES, "seconds_left", "heartbeat_age_seconds"),
        started_at=_TIME,
        claimed_at=_or_null(_TIME),
        owner=_or_null(_TEXT),
    ),
    "ListedTable": _object(**_OF_TABLE, versions_behind=_or_null(_WHOLE), valid=_or_null(_YES_NO)),
    "Lake": _object(
        tables=_object(**_all(_WHOLE, *_STATUS["enum"])),
        **_all(_WHOLE, "tables_total", "tables_behind", "running_total", "problems_total", "tables_found"),
        **_all(_WHOLE, "files_processed", "commits_processed", "log_bytes_processed", "active_files", "active_bytes"),
        **_RATES,
        validations=_object(valid=_WHOLE, different=_WHOLE),
        running=_list(_ref("Running")),
        problems_by_kind={"type": "object", "additionalProperties": _WHOLE},
        problems=_list(_ref("Problem")),
        **_all(_TEXT, "search", "status", "sort"),
        **_all(_WHOLE, "page", "page_size"),
        page_of_tables=_list(_ref("ListedTable")),
    ),
    "Difference": _object(
        version=_WHOLE, kind=_TEXT, path=_or_null(_TEXT), expected=_ANY, actual=_ANY, source=_or_null(_TEXT)
    ),
    "Validation": _object(
        **_all(_TEXT, "table_id", "reader"),
        **_all(_WHOLE, "version", "versions_checked", "difference_count"),
        valid=_YES_NO,
        validated_at=_TIME,
        differences=_list(_ref("Difference")),
    ),
    "Commit": _object(
        **_all(_WHOLE, "version", "timestamp"), **_all(_or_null(_TEXT), "operation", "user_name", "engine_info")
    ),
    "SchemaChange": _object(
        version=_WHOLE,
        timestamp=_or_null(_WHOLE),
        user_name=_or_null(_TEXT),
        **_all(_list(_COLUMN), "added", "dropped"),
        renamed=_list(_object(name=_TEXT, before=_TEXT)),
        altered=_list(_object(name=_TEXT, before=_TEXT, after=_TEXT)),
    ),
    "State": _object(
        **_all(_WHOLE, "first_version", "version", "log_version", "versions_behind"),
        **_all(_TIME, "imported_at", "synced_at"),
        **_all(_WHOLE, "reader_version", "writer_version"),
        **_all(_list(_TEXT), "features", "partition_columns", "warnings"),
        records=_or_null(_WHOLE),
        **_all(_WHOLE, "files", "bytes", "small_files", "files_with_deletion_vector", "small_file_bytes"),
        sizes=_list(_object(below_bytes=_or_null(_WHOLE), files=_WHOLE)),
        growth=_list(_object(**_all(_WHOLE, "version", "files", "bytes"), timestamp=_or_null(_WHOLE))),
        partitions=_list(_object(partition_values={"type": "object"}, files=_WHOLE, bytes=_WHOLE)),
        columns=_list(
            _object(**_all(_TEXT, "name", "type"), nullable=_YES_NO, comment=_or_null(_TEXT), id=_or_null(_WHOLE))
        ),
        schema_changes=_list(_ref("SchemaChange")),
        commits=_list(_ref("Commit")),
        history=_list({"type": "object"}),
        older_commits=_YES_NO,
    ),
    "LogLook": _object(
        state=_enum("in_step", "ahead", "changed", "unreachable", "waiting"),
        new_commits=_WHOLE,
        message=_or_null(_TEXT),
        looked_at=_or_null(_TIME),
    ),
    "Event": _object(
        **_all(_ANY, *Event.__slots__),
    ),
    "Table": _object(
        **_OF_TABLE,
        **_all(_WHOLE, "commits_processed", "rows_loaded", "log_bytes_processed"),
        **_all(_WHOLE, "files_at_claim", "commits_at_claim", "log_bytes_at_claim"),
        share=_or_null(_NUMBER),
        problems=_list(_ref("Problem")),
        **_all(_or_null(_WHOLE), "first_version", "target_version", "commits_total", "log_bytes_total"),
        owner=_or_null(_TEXT),
        **_all(_or_null(_TIME), "heartbeat_at", "claimed_at"),
        validation=_or_null(_ref("Validation")),
        events=_list(_ref("Event")),
        state=_or_null(_ref("State")),
        log=_or_null(_ref("LogLook")),
    ),
}


def _parameter(name: str, schema: Schema, text: str, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": text}


_NUMBER_OF_PAGE: Schema = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
_LAKE = [
    _parameter("search", {"type": "string", "maxLength": 255}, "A part of the table id or of the location."),
    _parameter("status", _enum(*FILTERS), "Only tables like this."),
    _parameter("sort", _enum(*SORTS), "What comes first."),
    _parameter("page", _NUMBER_OF_PAGE, "The page of the list of tables, from 0."),
]
_TABLE = [
    _parameter("id", _TEXT, "The table id.", required=True),
    _parameter("before", {"type": "integer", "minimum": 0}, "Only commits below this version."),
]


def _json(summary: str, parameters: list[Schema], name: str) -> Schema:
    def answer(text: str, of: str) -> Schema:
        return {"description": text, "content": {"application/json": {"schema": _ref(of)}}}

    return {
        "get": {
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": answer(summary, name),
                "404": answer("Nobody knows the table.", "Error"),
                "503": answer("The catalog can't be read.", "Error"),
            },
        }
    }


def _text(summary: str, **others: str) -> Schema:
    answers = {"200": summary, **{code.removeprefix("_"): text for code, text in others.items()}}
    content = {"text/plain": {"schema": _TEXT}}
    return {
        "get": {
            "summary": summary,
            "responses": {code: {"description": text, "content": content} for code, text in answers.items()},
        }
    }


DESCRIPTION: Schema = {
    "openapi": "3.1.0",
    "info": {
        "title": "deltalakedb",
        "version": "1",
        "description": "A read-only look at a catalog. A table's fields are those of `migration-status --output json`, "
        "problems those of `check`, differences those of `validate`, `history` is that of `history`.",
    },
    "paths": {
        "/api/lake": _json("Totals, what runs, problems, and a page of tables.", _LAKE, "Lake"),
        "/api/table": _json("Everything about a table; without a state it can't be read yet.", _TABLE, "Table"),
        "/metrics": _text("Metrics for Prometheus."),
        "/healthz": _text("The server runs."),
        "/readyz": _text("The catalog can be read.", _503="It can't."),
    },
    "security": [{}, {"bearer": []}, {"basic": []}],
    "components": {
        "schemas": _SCHEMAS,
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {"type": "http", "scheme": "basic"},
        },
    },
}
