"""Data files in object stores, for the engine of delta-rs.

A table made by `mini_log` is a local one, whose engine knows the local disk only. An engine that knows one table more,
in the same bucket, reads from there as well: so it gets the real one, of which no row is asked for. That is opened at
the oldest version that its log still has, which as a rule is a single small commit.

Where there is no log any more, SQL's list of files is enough: the files are fetched, some at a time, and read here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import uuid4

import msgspec

from ..errors import StorageError
from ..log.store import open_store
from . import mini_log
from .exceptions import ReadError, UnsupportedTableError
from .locations import url_of
from .opened import Opened

if TYPE_CHECKING:
    import deltalake
    import pyarrow as pa
    from arro3.core import RecordBatchReader

FETCHED_FILES = 64
FETCHED_BYTES = 256 << 20
"""So many files, of so many bytes together, are fetched at once where an engine can't reach the bucket."""

_AT_ONCE = 16


def neighbour(opened: Opened, storage_options: Mapping[str, str]) -> deltalake.DeltaTable | None:
    """Returns the real table, by which an engine finds its bucket; None for a local one.

    Raises:
        UnsupportedTableError: delta-rs does not open it.
    """
    if opened.root.is_local:
        return None
    versions = (opened.entry.first_version, opened.version, None)
    return _opened(opened.entry.table_id, opened.root.uri, versions, tuple(sorted(storage_options.items())))


@lru_cache(maxsize=32)
def _opened(
    table_id: str, uri: str, versions: tuple[int | None, ...], options: tuple[tuple[str, str], ...]
) -> deltalake.DeltaTable:
    import deltalake
    from deltalake.exceptions import DeltaError

    reason = ""
    for version in versions:
        try:
            return deltalake.DeltaTable(uri, version=version, storage_options=dict(options) or None)
        except (DeltaError, OSError) as error:
            reason = str(error).partition("\n")[0]
    raise UnsupportedTableError(
        f"Rows of {table_id!r} can't be read: delta-rs does not open {uri}: {reason}",
        "It needs the storage options, and the table's log to be there.",
    )


def query(
    table: deltalake.DeltaTable, beside: deltalake.DeltaTable, columns: Sequence[str], predicate: str | None
) -> RecordBatchReader:
    """Returns columns of those rows of a table that fulfil a predicate, by an engine that knows `beside`, too."""
    from deltalake import QueryBuilder

    # Names in the predicate are columns as they are, as in `DeltaTable.scan`.
    engine = QueryBuilder({"datafusion.sql_parser.enable_ident_normalization": "false"})
    engine.register("beside", beside).register("rows", table)
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
    return engine.execute(f"SELECT {names} FROM rows" + (f" WHERE {predicate}" if predicate is not None else ""))


def fetched(
    opened: Opened,
    files: Iterable[tuple[Any, ...]],
    storage_options: Mapping[str, str],
    read: Callable[[deltalake.DeltaTable], pa.RecordBatchReader],
) -> pa.RecordBatchReader:
    """Returns the rows of files that are fetched before they are read; the disk has to hold FETCHED_BYTES of them.

    Args:
        opened: the version.
        files: begin as mini_log.COLUMNS.
        storage_options: open the bucket.
        read: what is asked of a table with some of the files.

    Raises:
        ReadError: a file can't be fetched; while rows are read.
    """
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        for group in _groups(files):
            with tempfile.TemporaryDirectory(prefix="deltalakedb-") as folder:
                yield from read(mini_log.delta_table(opened, _here(opened, group, storage_options, Path(folder))))

    return pa.RecordBatchReader.from_batches(read(mini_log.delta_table(opened, [])).schema, batches())


def _groups(files: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    group, total = list[tuple[Any, ...]](), 0
    for file in files:
        size = file[mini_log.COLUMNS.index("size")] or 0
        if group and (len(group) == FETCHED_FILES or total + size > FETCHED_BYTES):
            yield group
            group, total = [], 0
        group.append(file)
        total += size
    if group:
        yield group


def _here(
    opened: Opened, group: Sequence[tuple[Any, ...]], storage_options: Mapping[str, str], folder: Path
) -> list[tuple[Any, ...]]:
    """Returns the files with paths that lead to what was fetched of them, their deletion vectors too."""
    places = _Fetched(opened, storage_options, folder)
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            paths = list(pool.map(places.file, (path for path, *_ in group)))
        return [
            (path, *some, None if vector is None else places.local(vector))
            for path, (_, *some, vector) in zip(paths, (file[: len(mini_log.COLUMNS)] for file in group), strict=True)
        ]
    except StorageError as error:
        raise ReadError(f"Rows can't be read: {error.message}", error.hint) from error


def deletion_vectors(
    opened: Opened, files: Iterable[tuple[Any, ...]], storage_options: Mapping[str, str]
) -> RecordBatchReader:
    """Returns the deletion vectors of files, whose fields begin as mini_log.COLUMNS.

    delta-rs has no engine for them that could be told of a bucket, so their files are fetched first.
    """
    with tempfile.TemporaryDirectory(prefix="deltalakedb-") as folder:
        known = (file[: len(mini_log.COLUMNS)] for file in files)
        fetched = _Fetched(opened, storage_options, Path(folder))
        here = [(*some, None if vector is None else fetched.local(vector)) for *some, vector in known]
        return mini_log.delta_table(opened, here).deletion_vectors().read_all().to_reader()


class _Fetched:
    """Files of a bucket in a folder; those of deletion vectors are fetched once each: many vectors share one."""

    def __init__(self, opened: Opened, storage_options: Mapping[str, str], folder: Path) -> None:
        self._root = opened.root
        self._options = storage_options
        self._folder = folder
        self._known: dict[str, str] = {}

    def local(self, text: str) -> str:
        """Returns the descriptor of a deletion vector whose file is here."""
        vector: dict[str, Any] = msgspec.json.decode(mini_log.absolute_vector(self._root, text))
        where = vector["pathOrInlineDv"]
        if vector["storageType"] == "p" and not where.startswith("file:"):
            if where not in self._known:
                self._known[where] = self._fetch(where)
            vector["pathOrInlineDv"] = self._known[where]
        return msgspec.json.encode(vector).decode()

    def file(self, path: str) -> str:
        """Returns the URI of a data file that is here: a path of the log leads to it."""
        place = self._root.file(path)
        return url_of(place) if place.startswith("/") else self._fetch(url_of(place))

    def _fetch(self, url: str) -> str:
        folder, _, name = url.rpartition("/")
        path = self._folder / uuid4().hex
        with path.open("wb") as file:
            file.writelines(open_store(folder, self._options).chunks(unquote(name)))
        return path.as_uri()
