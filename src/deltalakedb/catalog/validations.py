"""What the last validation of each table found, for those who weren't there to see it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from . import registry
from .schema import delta_validations

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


@dataclass(frozen=True, slots=True)
class Finding:
    """What a validation found, to be kept.

    Attributes:
        table_id: the table.
        version: the version that was validated.
        versions_checked: how many versions every reader was asked for.
        reader: the independent readers.
        differences: all of them, as `validate --output json` has them.
        log_version: the newest version in the log.
    """

    table_id: str
    version: int
    versions_checked: int
    reader: str
    differences: Sequence[dict[str, Any]]
    log_version: int

    @property
    def failure(self) -> str | None:
        """What is wrong, in words; None where nothing is."""
        return said(len(self.differences), self.version) if self.differences else None


def keep(connection: Connection, found: Finding) -> bool:
    """Keeps what a validation has found, in place of what the one before it had, in the caller's transaction.

    What had kept others from looking at the log is over. Returns whether the table is still known.
    """
    if registry.lock(connection, found.table_id, wait=True) is None:
        return False
    connection.execute(delete(delta_validations).where(delta_validations.c.table_id == found.table_id))
    connection.execute(
        insert(delta_validations).values(
            table_id=found.table_id,
            version=found.version,
            validated_at=registry.now(),
            valid=found.failure is None,
            versions_checked=found.versions_checked,
            reader=found.reader,
            difference_count=len(found.differences),
            differences=json.dumps(list(found.differences[:KEPT]), default=str),
        )
    )
    registry.note_look(connection, found.table_id, found.log_version)
    return True


def said(difference_count: int, version: int) -> str:
    """Returns what a validation that found differences says."""
    count = f"{difference_count} difference{'' if difference_count == 1 else 's'}"
    return f"{count} from its log at the validation of version {version}"


def last(connection: Connection, table_id: str) -> LastValidation | None:
    """Returns what the last validation of a table found; None where there was none since its import."""
    row = connection.execute(select(delta_validations).where(delta_validations.c.table_id == table_id)).one_or_none()
    return None if row is None else LastValidation(**registry.in_utc(row._mapping))
