"""Which table a location means: the one that the catalog has from there, else a new one, named by its last part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from sqlalchemy import ColumnElement, Connection, select

from ..catalog import registry
from ..catalog.registry import TableEntry
from ..catalog.schema import MAX_TABLE_ID, migration_status
from ..errors import ArgumentError
from ..log.store import Location, Store, canonical_locations, is_uri, location_text

_columns = migration_status.c


@dataclass(frozen=True, slots=True)
class KnownTable:
    """A table that the catalog knows, and the location that it was imported from.

    `is_loaded` is False where all that the catalog has is an import that failed before it loaded anything.
    """

    table_id: str
    location: str
    is_loaded: bool


class KnownTables:
    """The catalog's tables by their locations, in whichever spelling these were given.

    A location is compared as text first. Links are looked at only where that finds nothing: 10,000 tables take 0.1 s.
    """

    def __init__(self, tables: Iterable[KnownTable]) -> None:
        self._tables = tuple(tables)
        self.canonical = canonical_locations()
        """What tells a location, as the catalog records it, from every other."""

    @classmethod
    def of(cls, connection: Connection) -> KnownTables:
        """Returns all tables of a catalog."""
        return cls(_known(connection))

    def at(self, location: str) -> list[KnownTable]:
        """Returns the tables at a location that is spelled as a store spells it, by table id."""
        found = [table for table in self._tables if table.location == location]
        return found or ([] if is_uri(location) else self.by_place.get(self.canonical(location), []))

    @cached_property
    def by_place(self) -> dict[str, list[KnownTable]]:
        """The tables by their canonical locations."""
        places: dict[str, list[KnownTable]] = {}
        for table in self._tables:
            places.setdefault(self.canonical(table.location), []).append(table)
        return places


def table_at(connection: Connection, store: Store, table_id: str | None = None) -> KnownTable:
    """Returns the table that a location means, with its location as the catalog records it.

    Without an id that is the catalog's table at the location, else a new one with the default id. An id that is asked
    for stands, whatever else is there: a second copy of a table is possible.

    Raises:
        ArgumentError: no database can hold the id or the location, or several tables are there, none of them with the
            default id.
    """
    check_text(store.location)
    if table_id is not None:
        found = _known(connection, _columns.table_id == check_table_id(table_id))
        known = next((table for table in found if table.is_loaded and is_at(table.location, store)), None)
        return known or KnownTable(table_id, store.location, False)
    exact = _known(connection, _columns.location == store.location)  # which may leave case or blanks at its end aside
    known = the_one(KnownTables(exact).at(store.location), store.location)
    if known is None and not is_uri(store.location):
        known = the_one(KnownTables.of(connection).at(store.location), store.location)
    if known is not None and known.is_loaded:
        return known
    new = default_table_id(store.location) if known is None else known.table_id
    return KnownTable(check_table_id(new), store.location, False)


def entry_at(connection: Connection, store: Store, table_id: str | None) -> TableEntry:
    """Returns a readable table, which must have been imported from a location.

    Raises:
        TableNotFoundError, ImportIncompleteError: the catalog has no such table, or not all of it.
        ArgumentError: it was imported from another location, or several tables are there.
    """
    entry = registry.readable(connection, table_at(connection, store, table_id).table_id)
    if not is_at(entry.location, store):
        raise ArgumentError(
            f"{entry.table_id!r} was imported from {entry.location}, not from {store.location}",
            "Give that location, or the --table-id under which this one was imported.",
        )
    return entry


def is_at(location: str, store: Store) -> bool:
    """Tells whether a recorded location is a store's, in whichever spelling."""
    return location == store.location or canonical_locations()(location) == store.canonical


def the_one(tables: Sequence[KnownTable], location: str) -> KnownTable | None:
    """Returns the table that is meant where no id is given, of those that the catalog has at a location.

    A table whose import failed before it loaded anything counts only where there is no other.

    Raises:
        ArgumentError: there are several, none of them with the default id.
    """
    tables = [table for table in tables if table.is_loaded] or tables
    if len(tables) < 2:
        return next(iter(tables), None)
    default = default_table_id(location)
    for table in tables:
        if table.table_id == default:
            return table
    names = ", ".join(repr(table.table_id) for table in tables)
    raise ArgumentError(f"The catalog has several tables of {location}: {names}", "Name one of them with --table-id.")


def _known(connection: Connection, *which: ColumnElement[bool]) -> Iterator[KnownTable]:
    query = select(_columns.table_id, _columns.location, _columns.rows_loaded, _columns.version)
    for table_id, location, rows_loaded, version in connection.execute(query.where(*which).order_by(_columns.table_id)):
        yield KnownTable(table_id, location, rows_loaded > 0 or version is not None)


# ---- ids


def default_table_id(location: Location) -> str:
    """Returns the table id that a location has unless the user gives another: its last part."""
    last = location_text(location).rstrip("/").rpartition("/")[2] or "root"
    return unquote(last).partition("@")[0] or "root" if is_uri(location) else last


def check_table_id(table_id: str) -> str:
    """Returns a table id that every database can hold.

    Raises:
        ArgumentError: it is empty, too long, or has a NUL letter in it.
    """
    if not table_id or len(table_id) > MAX_TABLE_ID or "\0" in table_id:
        raise ArgumentError(
            f"Not a table id: {table_id[:40]!r}", f"Choose one of 1 to {MAX_TABLE_ID} letters with --table-id."
        )
    check_text(table_id)
    return table_id


def check_text(text: str) -> None:
    """Raises ArgumentError where a name from the file system is none that a database can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(f"Not UTF-8: {text!a}", "Rename it: a database can't hold such a name.") from error
