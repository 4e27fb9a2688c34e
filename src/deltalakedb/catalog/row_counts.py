"""How many rows files have, as SQL: without those that deletion vectors remove, and unknown where a file doesn't say.

`numRecords` of a file with a deletion vector counts the rows that it hides (PROTOCOL.md, "Per-file Statistics").
"""

from __future__ import annotations

_CARDINALITY = {
    "sqlite": "json_extract({0}.deletion_vector, '$.cardinality')",
    "postgresql": "CAST({0}.deletion_vector ->> 'cardinality' AS numeric)",
    "mysql": "CAST(JSON_VALUE({0}.deletion_vector, '$.cardinality') AS SIGNED)",
}


def rows_of(files: str, dialect_name: str) -> str:
    """Returns the number of rows of a group of files; 0 of none, NULL where one of them says none, or too few.

    Args:
        files: what the query calls `delta_files`, which may be joined from the left.
        dialect_name: of the database.
    """
    deleted = _CARDINALITY[dialect_name].format(files)
    left = f"{files}.num_records - CASE WHEN {files}.deletion_vector IS NULL THEN 0 ELSE {deleted} END"
    rows = f"CASE WHEN {left} >= 0 THEN {left} END"
    return f"CASE WHEN count({files}.path) = count({rows}) THEN coalesce(sum({rows}), 0) END"
