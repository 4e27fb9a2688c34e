"""Delta Lake metadata in a SQL database: imported from the log, proven equal to it, and undone at any moment."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Catalog as Catalog
    from .client import connect as connect
    from .errors import DeltaLakeDBError as DeltaLakeDBError

# Imported when they are asked for: `deltalakedb --help` needs none of them.
_HOMES = {
    "Catalog": ".client",
    "connect": ".client",
    "DeltaLakeDBError": ".errors",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 (a list of names, made once)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
