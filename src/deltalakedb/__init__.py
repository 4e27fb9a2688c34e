"""Delta Lake metadata in a SQL database: imported from the log, proven equal to it, and undone at any moment."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    ArgumentError,
    CatalogError,
    CorruptLogError,
    DatabaseBusyError,
    DatabaseConnectionError,
    DatabaseTimeoutError,
    DeltaLakeDBError,
    DiskFullError,
    DriverNotInstalledError,
    ImportIncompleteError,
    LocationNotFoundError,
    LogChangedError,
    LogError,
    LogFileGoneError,
    LogGapError,
    NotADeltaTableError,
    PermissionDeniedError,
    RollbackUnsafeError,
    SchemaVersionError,
    StorageError,
    TableBusyError,
    TableExistsError,
    TableNotFoundError,
    UnsupportedTableError,
    VersionNotFoundError,
)

if TYPE_CHECKING:
    from .client import Catalog, connect
    from .table.delta_table import DeltaTable
    from .table.exceptions import DeltaLakeDBWarning

__all__ = [
    "ArgumentError",
    "Catalog",
    "CatalogError",
    "CorruptLogError",
    "DatabaseBusyError",
    "DatabaseConnectionError",
    "DatabaseTimeoutError",
    "DeltaLakeDBError",
    "DeltaLakeDBWarning",
    "DeltaTable",
    "DiskFullError",
    "DriverNotInstalledError",
    "ImportIncompleteError",
    "LocationNotFoundError",
    "LogChangedError",
    "LogError",
    "LogFileGoneError",
    "LogGapError",
    "NotADeltaTableError",
    "PermissionDeniedError",
    "RollbackUnsafeError",
    "SchemaVersionError",
    "StorageError",
    "TableBusyError",
    "TableExistsError",
    "TableNotFoundError",
    "UnsupportedTableError",
    "VersionNotFoundError",
    "connect",
]

# Imported when they are asked for: `deltalakedb --help` needs none of them.
_HOMES = {
    "Catalog": ".client",
    "DeltaLakeDBWarning": ".table.exceptions",
    "DeltaTable": ".table.delta_table",
    "connect": ".client",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
