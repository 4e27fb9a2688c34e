"""The active files of a version in the catalog against those that delta-rs sees."""

from __future__ import annotations

import json
import struct
from array import array
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from .. import json_columns
from ..catalog.snapshot import Snapshot, with_deletion_vector
from .differences import Doubt, Findings
from .facts import parsed_json, whole

if TYPE_CHECKING:
    from deltalake import DeltaTable

_THREADS = 2
"""As many look at statistics: most of that is Arrow's work, which needs no interpreter."""

MAX_VECTOR_ROWS = 50_000_000
"""delta-rs holds deletion vectors in memory as one flag a row: above this many rows they are left alone."""

_TOGETHER = 8
"""Files of so many times as many neighbours are put in one piece before they are looked at."""

_UNKNOWN = object()
"""A value that can't be brought into the type in which delta-rs has it."""

_STATS = {"min": "minValues", "max": "maxValues", "null_count": "nullCount"}
"""The columns that delta-rs makes of statistics, and their names there."""

Leaf = tuple[tuple[str, ...], pa.DataType, list[Any]]


def compare_files_with_delta_rs(add_actions: Any, snapshot: Snapshot, findings: Findings) -> None:
    """Compares the file set, and of each file what delta-rs shows of an add.

    Paths are spelled as in the log on both sides. Partition values and statistics are compared in the types that the
    schema gives them. Where delta-rs has no statistic and SQL has one, nothing follows: it does not read all types.

    Args:
        add_actions: what delta-rs shows of the files, an Arrow stream.
        snapshot: the same version in SQL.
        findings: gets the differences.
    """
    _Files(add_actions, snapshot, findings).compare()


class _Rows(NamedTuple):
    """Active files of SQL, column by column."""

    path: Sequence[str]
    size: Sequence[int | None]
    modification_time: Sequence[int | None]
    num_records: Sequence[int | None]
    partition_values: Sequence[str]
    stats: Sequence[str | None]
    added_version: Sequence[int]

    def at(self, places: Sequence[int]) -> _Rows:
        """Returns the rows at some places."""
        return _Rows._make([column[place] for place in places] for column in self)


class _Files:
    """Rows of SQL, page by page, beside what delta-rs has for the same paths."""

    def __init__(self, add_actions: Any, snapshot: Snapshot, findings: Findings) -> None:
        self._snapshot = snapshot
        self._findings = findings
        self._seen = pa.RecordBatchReader.from_stream(add_actions).read_all()
        # Several files of one path have different deletion vectors, which delta-rs does not show: only counted.
        self._places, self._several = _places_of(self._seen["path"].to_pylist())
        self._physical = physical_names(snapshot)
        self._undecided: deque[tuple[Future[pa.Array], _Rows, pa.Table]] = deque()

    def compare(self) -> None:
        """Compares file by file."""
        with ThreadPoolExecutor(_THREADS) as pool:
            for rows in self._pages():
                self._compare_page(*self._matched(rows), pool)
            self._decide(all_but=0)
        for path, place in chain(self._places.items(), _pairs(self._several)):
            self._doubt("file_missing", path, {"size": self._seen["size_bytes"][place].as_py()}, None)

    def _pages(self) -> Iterator[_Rows]:
        names = _Rows._fields[:-1]  # the version comes of itself, and then the place
        for piece in self._snapshot.file_columns(names):
            yield _Rows(*list(zip(*piece, strict=True))[:-1])

    def _matched(self, rows: _Rows) -> tuple[_Rows, pa.Table]:
        """Returns the rows to compare, and what delta-rs has for them; takes the places away."""
        places = [self._places.pop(path, None) for path in rows.path]
        at = [place for place in places if place is not None]
        if len(at) < len(places):
            self._unmatched(rows.at([number for number, place in enumerate(places) if place is None]))
            rows = rows.at([number for number, place in enumerate(places) if place is not None])
        return rows, self._at(at)

    def _unmatched(self, rows: _Rows) -> None:
        for path, added_version, size in zip(rows.path, rows.added_version, rows.size, strict=True):
            places = self._several.get(path)
            if places:
                places.pop()
            else:
                self._doubt("file_extra", path, None, {"added_version": added_version, "size": size}, added_version)

    def _at(self, places: list[int]) -> pa.Table:
        """Returns what delta-rs has at some places, which mostly lie together."""
        first, end = min(places, default=0), max(places, default=-1) + 1
        seen = self._seen.slice(first, end - first)
        # Out of many pieces a few thousand rows take fifty times as long, and all may be too large for one.
        if len(seen) <= _TOGETHER * len(places):
            seen = seen.combine_chunks()
        return seen.take(_integers([place - first for place in places]))

    def _doubt(
        self,
        kind: str,
        path: str,
        expected: object,
        actual: object,
        added_version: int | None = None,
        field: tuple[str, ...] = (),
    ) -> None:
        self._findings.doubt(Doubt(self._snapshot.version, kind, path, expected, actual, added_version, field))

    def _compare_page(self, rows: _Rows, seen: pa.Table, pool: Executor) -> None:
        for kind, name in (("size", "size_bytes"), ("modification_time",) * 2, ("num_records",) * 2):
            told, found = seen[name].to_pylist(), getattr(rows, kind)
            if told == list(found):
                continue
            for path, expected, actual, added in zip(rows.path, told, found, rows.added_version, strict=True):
                if expected is not None and expected != actual:
                    self._doubt(kind, path, expected, actual, added)
        self._compare_partitions(rows, seen)
        self._undecided.append((pool.submit(_differ, rows, seen), rows, seen))
        self._decide(all_but=2 * _THREADS)

    def _compare_partitions(self, rows: _Rows, seen: pa.Table) -> None:
        if "partition" not in seen.column_names:
            return
        known = {text: parsed_json(text) or {} for text in set(rows.partition_values)}
        for (name, *_), kind, column in _leaves(seen["partition"]):
            physical = self._physical.get(name, name)
            texts = {values: value.get(physical, value.get(name)) for values, value in known.items()}
            # Few partitions, many files.
            pairs = set(zip(rows.partition_values, column, strict=True))
            wrong = {pair for pair in pairs if not _same(pair[1], _partition_value(texts[pair[0]], kind))}
            if wrong:
                all_pairs = zip(rows.partition_values, column, strict=True)
                for path, pair, added in zip(rows.path, all_pairs, rows.added_version, strict=True):
                    if pair in wrong:
                        values = {name: _shown(pair[1])}, {name: texts[pair[0]]}
                        self._doubt("partition_values", path, *values, added)

    def _decide(self, *, all_but: int) -> None:
        """Takes what threads have found of statistics; those that are not the same at first sight one by one."""
        while len(self._undecided) > all_but:
            differ, rows, seen = self._undecided.popleft()
            left = pc.indices_nonzero(differ.result())
            if len(left):
                self._compare_stats_of(rows.at(left.to_pylist()), seen.take(left))

    def _compare_stats_of(self, rows: _Rows, seen: pa.Table) -> None:
        stats = [parsed_json(text) if text else {} for text in rows.stats]
        for theirs, ours in _STATS.items():
            if theirs not in seen.column_names:
                continue
            told = [value.get(ours) if isinstance(value, dict) else None for value in stats]
            for names, kind, column in _leaves(seen[theirs]):
                for path, values, expected, added in zip(rows.path, told, column, rows.added_version, strict=True):
                    if expected is None:
                        continue
                    value = inner(values, names)
                    if value != expected and not _same(expected, None if value is None else _typed(value, kind)):
                        field = (ours, *names)
                        name = ".".join(field)
                        self._doubt("stats", path, {name: _shown(expected)}, {name: value}, added, field)


def _places_of(paths: list[str]) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Returns where each path is that is there once, and where the others are."""
    places, several = dict(zip(paths, range(len(paths)), strict=True)), dict[str, list[int]]()
    if len(places) < len(paths):
        counts = Counter(paths)
        for place, path in enumerate(paths):
            if counts[path] > 1:
                several.setdefault(path, []).append(place)
                places.pop(path, None)
    return places, several


def _pairs(places: dict[str, list[int]]) -> Iterator[tuple[str, int]]:
    return ((path, place) for path, left in places.items() for place in left)


def _partition_value(text: str | None, kind: pa.DataType) -> Any:
    """Returns a value of its type; an empty text is null (PROTOCOL.md, "Partition Value Serialization")."""
    return None if text is None or text == "" else _typed(text, kind)


def _differ(rows: _Rows, seen: pa.Table) -> pa.Array:
    """Tells of each file whether a statistic that delta-rs shows may not be what SQL has."""
    names = [name for name in _STATS if name in seen.column_names]
    fields = [(_STATS[name], seen.schema.field(name).type) for name in names]
    trusted = [number is not None for number in rows.num_records]  # others nobody has decoded yet
    ours = json_columns.parse(rows.stats, pa.struct(fields), trusted=trusted)
    differ = _falses(len(rows.path))
    for name, column in zip(names, ours.flatten(), strict=True):
        theirs = seen[name].combine_chunks()
        for expected, actual in zip(_flat(theirs), _flat(column), strict=True):
            same = pc.fill_null(pc.equal(expected, actual), fill_value=False)
            differ = pc.or_(differ, pc.and_(expected.is_valid(), pc.invert(same)))
    return differ


# Not by `pa.array` and `pa.repeat`, which import pandas where it is installed: a quarter of a second.


def _integers(values: list[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(array("q", values))])


def _falses(count: int) -> pa.Array:
    return pa.Array.from_buffers(pa.bool_(), count, [None, pa.py_buffer(bytes(-(-count // 8)))])


def _flat(column: pa.Array) -> list[pa.Array]:
    """Returns the columns below a struct, to any depth."""
    if pa.types.is_struct(column.type):
        return [leaf for child in column.flatten() for leaf in _flat(child)]
    return [column]


def compare_deletion_vectors(table: DeltaTable, snapshot: Snapshot, findings: Findings) -> None:
    """Compares which files have rows deleted, and how many; reads the files of the deletion vectors."""
    protocol = snapshot.protocol()
    if protocol is None or "deletionVectors" not in (protocol.reader_features or ""):
        return
    actual, rows = dict[str, _WithVector](), 0
    for row in snapshot.files(with_deletion_vector()):
        cardinality = (parsed_json(row.deletion_vector) or {}).get("cardinality")
        actual[_place(table.table_uri, row.path)] = _WithVector(row.path, cardinality, row.added_version)
        rows += row.num_records or 0
    if rows > MAX_VECTOR_ROWS:
        findings.note(f"delta-rs was not asked for the deletion vectors of {rows} rows")
        return
    try:
        seen = pa.table(table.deletion_vectors())
    except Exception as error:
        findings.note(f"delta-rs could not read the deletion vectors: {str(error).partition(chr(10))[0]}")
        return
    expected = {
        _place("", uri): flags.count(False)
        for uri, flags in zip(seen["filepath"].to_pylist(), seen["selection_vector"].to_pylist(), strict=True)
    }
    without = expected.keys() - actual.keys()
    if without:
        files = ((_place(table.table_uri, row.path), row) for row in snapshot.files())
        actual |= {place: _WithVector(row.path, None, row.added_version) for place, row in files if place in without}
    for place in sorted({*expected, *actual}):
        path, cardinality, added = actual.get(place) or _WithVector(place, None, None)
        told = expected.get(place)
        if told != cardinality:
            findings.doubt(Doubt(snapshot.version, "deletion_vector", path, told, cardinality, added))


class _WithVector(NamedTuple):
    """A file of SQL, and how many of its rows its deletion vector deletes."""

    path: str
    cardinality: int | None
    added_version: int | None


def _place(root: str, path: str) -> str:
    """Returns one spelling of a file's place, whether it is a URI or a path as in the log."""
    uri = path if not root or "://" in path else root.rstrip("/") + "/" + path
    return unquote(urlsplit(uri).path)


def physical_names(snapshot: Snapshot) -> dict[str, str]:
    """Returns the names that partition columns have in the log (PROTOCOL.md, "Column Mapping")."""
    metadata = snapshot.metadata()
    if metadata is None or "delta.columnMapping.mode" not in (metadata.configuration or ""):
        return {}
    fields = json.loads(metadata.schema_string or "{}").get("fields", [])
    names = {field["name"]: field.get("metadata", {}).get("delta.columnMapping.physicalName") for field in fields}
    return {name: physical for name, physical in names.items() if physical is not None}


def _leaves(column: pa.ChunkedArray, names: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yields the columns below a struct, with their names, their types and their values."""
    if pa.types.is_struct(column.type):
        for child, flat in zip(column.type, column.flatten(), strict=True):
            yield from _leaves(flat, (*names, child.name))
    else:
        kind = column.type
        if pa.types.is_timestamp(kind) or pa.types.is_date32(kind):  # as numbers: Python's years end with 9999
            column = column.cast(pa.int64() if pa.types.is_timestamp(kind) else pa.int32())
        yield names, kind, column.to_pylist()


def inner(value: Any, names: tuple[str, ...]) -> Any:
    """Returns what is in objects within objects, under some names; None where it isn't there."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _typed(value: Any, kind: pa.DataType) -> Any:
    """Returns a value of the log in the form in which a column of delta-rs gives it."""
    try:
        if pa.types.is_timestamp(kind):
            return _microseconds(value)
        if pa.types.is_date32(kind):
            return (date.fromisoformat(value) - date(1970, 1, 1)).days
        if pa.types.is_boolean(kind):
            return value if isinstance(value, bool) else value.lower() == "true"
        if pa.types.is_integer(kind):
            return number if isinstance(number := whole(value), int) else _UNKNOWN
        if pa.types.is_float32(kind):
            return struct.unpack("f", struct.pack("f", float(value)))[0]
        if pa.types.is_floating(kind):
            return float(value)
        if pa.types.is_decimal(kind):
            return Decimal(value)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return value if isinstance(value, str) else _UNKNOWN
    except (ValueError, TypeError, AttributeError, OverflowError, InvalidOperation):
        pass
    return _UNKNOWN


def _microseconds(text: str) -> int:
    time = datetime.fromisoformat(text)
    return (time.replace(tzinfo=time.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _same(expected: Any, actual: Any) -> bool:
    return actual is _UNKNOWN or expected == actual or (expected != expected and actual != actual)  # NaN


def _shown(value: Any) -> object:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
