"""What the last validation of each table found, for those who weren't there to see it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from . import registry
from .database import Database
from .schema import delta_validations
from .trail import Trail

KEPT = 100
"""Differences that are kept of a validation; of the others, their number."""


@dataclass(frozen=True, slots=True)
class LastValidation:
    """A row of `delta_validations`; `differences` is JSON, the first `KEPT` of `difference_count`."""

    table_id: str
    version: int
    validated_at: datetime
    valid: bool
    versions_checked: int
    reader: str
    difference_count: int
    differences: str


def keep(
    database: Database,
    table_id: str,
    *,
    version: int,
    versions_checked: int,
    reader: str,
    differences: Sequence[dict[str, Any]],
    trail: Trail,
) -> None:
    """Keeps what a validation has found, in place of what the one before it had, and writes it to the audit trail.

    Raises:
        PermissionDeniedError: this role may only read.
        CatalogError: the database refuses.
    """
    with database.transaction() as connection:
        if registry.lock(connection, table_id, wait=True) is None:
            return  # it was forgotten meanwhile
        connection.execute(delete(delta_validations).where(delta_validations.c.table_id == table_id))
        connection.execute(
            insert(delta_validations).values(
                table_id=table_id,
                version=version,
                validated_at=registry.now(),
                valid=not differences,
                versions_checked=versions_checked,
                reader=reader,
                difference_count=len(differences),
                differences=json.dumps(list(differences[:KEPT]), default=str),
            )
        )
        trail.note(connection, valid=not differences, versions_checked=versions_checked, differences=len(differences))


def last(connection: Connection, table_id: str) -> LastValidation | None:
    """Returns what the last validation of a table found; None where there was none since its import."""
    row = connection.execute(select(delta_validations).where(delta_validations.c.table_id == table_id)).one_or_none()
    return None if row is None else LastValidation(**registry.in_utc(row._mapping))
