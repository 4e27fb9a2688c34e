"""Which tables a batch is about, under which ids, and which of them it leaves alone."""

from __future__ import annotations

import codecs
import fnmatch
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.registry import TableEntry, TableStatus
from ..errors import ArgumentError, DeltaLakeDBError, LocationNotFoundError, StorageError
from ..home import home_expanded
from ..log.store import is_uri, open_store
from .discover import FoundTable, Unlisted, discover, table_in
from .table_ids import KnownTable, KnownTables, check_text, default_table_id

STDIN = "-"

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class BatchTable:
    """A table that a batch is about.

    Attributes:
        table_id: its id in the catalog, or the one that it gets.
        location: where it is, as the catalog records it or will.
        version: the log's newest version, as far as it is known.
        skipped: why nothing is to be done; None where something is.
        is_excluded: whether that is since it was excluded.
        is_unchanged: whether that is since the catalog has all of it.
    """

    table_id: str
    location: str
    version: int | None
    skipped: str | None = None
    is_excluded: bool = False
    is_unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Candidates:
    """The tables that were found or listed, and the places that could not be looked at.

    `root` is what their ids and `--exclude` take their places from. What the catalog has below `search_root` belongs to
    the batch as well; it is None where the tables come from a list. `failure` is why the root itself can't be listed.
    """

    tables: list[FoundTable]
    root: str
    search_root: str | None = None
    not_listed: list[Unlisted] = field(default_factory=list)
    failure: StorageError | None = None


def search(path: str, options: Mapping[str, str]) -> Candidates:
    """Returns every table below a location."""
    not_listed: list[Unlisted] = []
    root = open_store(path, options).location
    try:
        found = list(discover(path, recursive=True, storage_options=options, on_unlisted=not_listed.append))
    except StorageError as error:
        return Candidates([], root, root, [Unlisted(root, error.message)], error)
    return Candidates(found, root, root, not_listed)


def read_list(from_file: str, path: str | None, options: Mapping[str, str]) -> Candidates:
    """Returns the tables that a list names, one location a line; what is wrong with a line shows when its turn comes.

    Args:
        from_file: the list, or `-` for stdin. Empty lines and those that begin with # don't count.
        path: what relative lines are below; by default the working folder.
        options: what opens object stores.

    Raises:
        LocationNotFoundError, ArgumentError: the list is not there, or can't be read.
    """
    lines = dict.fromkeys(line if path is None or is_uri(line) else _joined(path, line) for line in _lines(from_file))
    listed = [_listed_table(line, options) for line in lines]
    root = _common_root(table for table in listed if table.version is not None) if path is None else path
    return Candidates(listed, root if path is None else open_store(path, options).location)


def _lines(from_file: str) -> Iterator[str]:
    for line in _read(from_file).split(b"\n"):
        text = line.decode("utf-8", "surrogateescape").strip(" \t\r")  # a line that is not UTF-8 fails by itself
        if text and not text.startswith("#"):
            yield text


def _read(from_file: str) -> bytes:
    try:
        content = sys.stdin.buffer.read() if from_file == STDIN else Path(home_expanded(from_file)).read_bytes()
    except FileNotFoundError as error:
        raise LocationNotFoundError(f"Not found: {from_file}", "Check the path of the list.") from error
    except (OSError, ValueError) as error:  # a NUL in the path
        raise ArgumentError(f"The list {from_file} can't be read: {error}") from error
    if content.startswith(_UTF_16):
        raise ArgumentError(f"The list {from_file} is UTF-16.", "Save it as UTF-8.")
    return content.removeprefix(codecs.BOM_UTF8)


def _joined(path: str, line: str) -> str:
    return f"{path.rstrip('/')}/{line.lstrip('/')}" if is_uri(path) else str(Path(path, home_expanded(line)))


def _listed_table(location: str, options: Mapping[str, str]) -> FoundTable:
    try:
        check_text(location)
        store = open_store(location, options)
        location = store.location
        found = table_in(store)
    except DeltaLakeDBError as error:
        return FoundTable(default_table_id(location), location, None, None, error.message)
    return found or FoundTable(default_table_id(location), location, None, None)


def _common_root(tables: Iterable[FoundTable]) -> str:
    folders = [table.location.split("/")[:-1] for table in tables]
    common = takewhile(lambda names: len(set(names)) == 1, zip(*folders, strict=False))
    return "/".join(names[0] for names in common)


# ---- against the catalog


def select(
    database: Database, candidates: Candidates, exclude: Sequence[str], id_prefix: str
) -> tuple[list[BatchTable], list[Unlisted]]:
    """Returns the tables of a batch, and the places that could not be looked at and were not excluded.

    A table that the catalog has keeps its id, however the batch came to its location; where the catalog has several
    copies of it, each is one. A new one is called by its last part, or where that is taken by its place below the root,
    with `id_prefix` before it.

    Raises:
        LocationNotFoundError, PermissionDeniedError, StorageError: the root can't be listed, and the catalog has no
            table below it, whose import would say so.
    """
    catalog = _Catalog.of(database)
    places = list(_places(candidates, catalog.known))
    if candidates.failure is not None and not places:
        raise candidates.failure
    excluding = [_excluding(exclude, _names(place)) for place in places]
    wanted = [place for place, pattern in zip(places, excluding, strict=True) if pattern is None]
    times = Counter(place.table.table_id for place in wanted if place.same_as is None)
    tables = []
    for place, pattern in zip(places, excluding, strict=True):
        table = place.table
        table_id = catalog.table_id(place, id_prefix, is_alone=times[table.table_id] < 2)
        new = BatchTable(table_id, table.location, table.version)
        if pattern is not None:
            new = replace(new, skipped=f"excluded by the pattern {pattern!r}", is_excluded=True)
        elif place.same_as is not None:
            new = replace(new, skipped=f"the same table as {place.same_as}")
        elif (why := catalog.unchanged(place)) is not None:
            new = replace(new, skipped=why, is_unchanged=True)
        tables.append(new)
    not_listed = [one for one in candidates.not_listed if _excluding(exclude, _folder_names(one, candidates)) is None]
    return tables, not_listed


@dataclass(frozen=True, slots=True)
class _Place:
    """A table in the place where it was found: `below` is that place below the root.

    `known` is what the catalog has of it; `same_as` is where else it was found, if it belongs to the batch by that.
    """

    table: FoundTable
    below: str
    known: KnownTable | None = None
    same_as: str | None = None


def _places(candidates: Candidates, known: KnownTables) -> Iterator[_Place]:
    found: dict[str, list[FoundTable]] = {}
    for table in candidates.tables:
        found.setdefault(known.canonical(table.location), []).append(table)
    for canonical, tables in found.items():
        yield from _one_place(canonical, tables, known.by_place.get(canonical, []), candidates.root)
    if candidates.search_root is not None:
        yield from _not_found(candidates.search_root, known, found)


def _one_place(
    canonical: str, tables: Sequence[FoundTable], known: Sequence[KnownTable], root: str
) -> Iterator[_Place]:
    """Yields the tables at one place, which several paths may lead to."""
    copies = [table for table in known if table.is_loaded] or known[:1]
    recorded = {table.location for table in copies if table.is_loaded}
    by_rank = sorted(tables, key=lambda table: (table.location not in recorded, table.location != canonical))
    first = by_rank[0]
    for copy in copies:
        location = copy.location if copy.is_loaded else first.location
        yield _Place(replace(first, location=location), _below(first.location, root), copy)
    if not copies:
        yield _Place(first, _below(first.location, root))
    for other in by_rank[1:]:
        if other.location not in recorded:
            yield _Place(other, _below(other.location, root), same_as=first.location)


def _not_found(root: str, known: KnownTables, found: Mapping[str, object]) -> Iterator[_Place]:
    """Yields what the catalog has below a location and the search has not found there: imports will say why."""
    canonical_root = known.canonical(root)
    for canonical, tables in known.by_place.items():
        for table in tables if canonical not in found else ():
            for location, above in ((table.location, root), (canonical, canonical_root)):
                if f"{location}/".startswith(f"{above.rstrip('/')}/"):
                    missing = FoundTable(default_table_id(location), table.location, None, None)
                    yield _Place(missing, _below(location, above), table)
                    break


@dataclass(frozen=True, slots=True)
class _Catalog:
    """What the catalog holds before the batch begins."""

    statuses: Mapping[str, TableStatus]
    entries: Mapping[str, TableEntry]
    known: KnownTables

    @classmethod
    def of(cls, database: Database) -> _Catalog:
        if not database.has_catalog():
            return cls({}, {}, KnownTables(()))
        with database.reading() as connection:
            statuses = {status.table_id: status for status in registry.statuses(connection)}
            entries = {entry.table_id: entry for entry in registry.entries(connection)}
            return cls(statuses, entries, KnownTables.of(connection))

    def unchanged(self, place: _Place) -> str | None:
        """Returns why a table needs nothing; None where it does."""
        entry = None if place.known is None else self.entries.get(place.known.table_id)
        if entry is None or place.table.version != entry.version:
            return None
        if self.statuses[entry.table_id].status != registry.COMPLETED:
            return None
        return f"complete and unchanged at version {entry.version}"

    def table_id(self, place: _Place, prefix: str, *, is_alone: bool) -> str:
        """Returns the id that a table has or gets; `is_alone` says that no other one of the batch has its last part."""
        if place.known is not None:
            return place.known.table_id
        table_id = f"{prefix}{place.table.table_id}"
        return table_id if is_alone and table_id not in self.statuses else f"{prefix}{place.below}"


# ---- patterns


def _excluding(patterns: Iterable[str], names: Sequence[str]) -> str | None:
    """Returns the first pattern that one of the names matches."""
    for pattern in patterns:
        glob = pattern if any(mark in pattern for mark in "*?[") else f"*{pattern}*"
        if any(fnmatch.fnmatchcase(name, glob) for name in names):
            return pattern
    return None


def _names(place: _Place) -> list[str]:
    return [place.table.table_id, place.below, *([place.known.table_id] if place.known is not None else [])]


def _folder_names(place: Unlisted, candidates: Candidates) -> list[str]:
    """A folder is excluded, too, where everything in it is."""
    below = _below(place.location, candidates.root)
    return [default_table_id(place.location), below, f"{below}/"]


def _below(location: str, root: str) -> str:
    above = f"{root.rstrip('/')}/"
    below = location.removeprefix(above).strip("/") if location != root.rstrip("/") else ""
    below = below or location
    return unquote(below) if is_uri(location) else below
