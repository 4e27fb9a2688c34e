"""What a version says of the table itself: metadata, protocol, transactions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..catalog.registry import now
from ..catalog.snapshot import Snapshot
from ..log.interval import interval_ms
from ..rows import TransactionRow
from .opened import Opened

if TYPE_CHECKING:
    from deltalake.table import Metadata, ProtocolVersions


def metadata(opened: Opened) -> Metadata:
    """Returns the table's metadata, as delta-rs' own class."""
    from deltalake.table import Metadata

    raw = SimpleNamespace(
        id=opened.metadata.id,
        name=opened.metadata.name,
        description=opened.metadata.description,
        partition_columns=opened.partition_columns,
        created_time=opened.metadata.created_time,
        configuration=opened.configuration,
    )
    table: Any = SimpleNamespace(metadata=lambda: raw)
    return Metadata(table)


def protocol(opened: Opened) -> ProtocolVersions:
    """Returns the table's protocol, as delta-rs' own class; no features are None."""
    from deltalake.table import ProtocolVersions

    return ProtocolVersions(
        opened.protocol.min_reader_version,
        opened.protocol.min_writer_version,
        opened.writer_features or None,
        opened.reader_features or None,
    )


def transaction_version(opened: Opened, snapshot: Snapshot, app_id: str) -> int | None:
    """Returns how far an application has come; None where it is unknown, or was last heard of too long ago."""
    row = next((row for row in snapshot.transactions() if row.app_id == app_id), None)
    return None if row is None or _is_expired(opened, row) else row.txn_version


def _is_expired(opened: Opened, row: TransactionRow) -> bool:
    retention = interval_ms(opened.configuration.get("delta.setTransactionRetentionDuration"))
    if retention is None or row.last_updated is None:
        return False
    return row.last_updated < now().timestamp() * 1000 - retention
