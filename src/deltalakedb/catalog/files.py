"""Single rows of `delta_files`: found by their key, and ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, and_, bindparam, func, select, update

from ..rows import FileLifetime
from .schema import delta_files

_PATHS_AT_ONCE = 500

FileKey = tuple[str, str | None]
"""A file's path as in the log, and its deletion vector's id."""

# Asked so that no index of live files answers it: without statistics of its tables SQLite takes that one for several
# hashes, and reads all live files of the table where a look-up by key reads a few.
_IS_LIVE = func.coalesce(delta_files.c.removed_version, -1) == -1
_COLUMNS = [delta_files.c[name] for name in FileLifetime._fields]
_LIVE = and_(
    delta_files.c.table_id == bindparam("of_table"),
    delta_files.c.key_hash == bindparam("of_hash"),
    delta_files.c.path == bindparam("of_path"),
    delta_files.c.deletion_vector_id.is_not_distinct_from(bindparam("of_vector")),
    _IS_LIVE,
)
_END = (
    update(delta_files)
    .where(_LIVE)
    .values(
        removed_version=bindparam("to_version"),
        deletion_timestamp=bindparam("to_timestamp"),
        removal=bindparam("to_removal"),
        own_remove=bindparam("to_own_remove"),
    )
)


def find_live(connection: Connection, table_id: str, hashes: Iterable[int]) -> dict[FileKey, FileLifetime]:
    """Returns the files that no version removes, among those with one of the key hashes."""
    query = select(*_COLUMNS).where(
        delta_files.c.table_id == table_id,
        delta_files.c.key_hash.in_(list(hashes)),
        _IS_LIVE,
    )
    rows = (FileLifetime._make(row) for row in connection.execute(query))
    return {(row.path, row.deletion_vector_id): row for row in rows}


def find_added(connection: Connection, table_id: str, hashes: Iterable[int], version: int) -> set[FileKey]:
    """Returns the files that a version adds, among those with one of the key hashes."""
    columns = delta_files.c
    query = select(columns.path, columns.deletion_vector_id).where(
        columns.table_id == table_id, columns.key_hash.in_(list(hashes)), columns.added_version == version
    )
    return {(row.path, row.deletion_vector_id) for row in connection.execute(query)}


def find_removed(connection: Connection, table_id: str, hashes: Iterable[int]) -> set[tuple[FileKey, int | None]]:
    """Returns the files that a remove action ended, among those with one of the key hashes, with its timestamp."""
    columns = delta_files.c
    query = select(columns.path, columns.deletion_vector_id, columns.deletion_timestamp).where(
        columns.table_id == table_id, columns.key_hash.in_(list(hashes)), columns.removal.is_not(None)
    )
    return {((row.path, row.deletion_vector_id), row.deletion_timestamp) for row in connection.execute(query)}


@dataclass(slots=True)
class FileSums:
    """What the files that a commit adds and removes amount to, however many they are: equal only for the same ones."""

    added: tuple[int, int] = (0, 0)
    removed: tuple[int, int] = (0, 0)

    def add(self, path: str, vector_id: str | None, size: int | None, modified_ms: int | None) -> None:
        """Counts a file that is added."""
        self.added = _plus(self.added, (path, vector_id, size, modified_ms))

    def remove(self, path: str, vector_id: str | None, deleted_ms: int | None) -> None:
        """Counts a file that is removed."""
        self.removed = _plus(self.removed, (path, vector_id, deleted_ms))


def _plus(sums: tuple[int, int], file: tuple[object, ...]) -> tuple[int, int]:
    digest = int.from_bytes(sha256(repr(file).encode("utf-8", "surrogatepass")).digest()[:16], "little")
    return sums[0] + 1, sums[1] + digest


def sums_of_commit(connection: Connection, table_id: str, version: int) -> FileSums:
    """Returns what the files amount to that a version adds, and that its removes end."""
    columns, sums = delta_files.c, FileSums()
    own = columns.table_id == table_id
    added = select(columns.path, columns.deletion_vector_id, columns.size, columns.modification_time)
    for path, vector_id, size, modified_ms in connection.execute(added.where(own, columns.added_version == version)):
        sums.add(path, vector_id, size, modified_ms)
    removed = select(columns.path, columns.deletion_vector_id, columns.deletion_timestamp)
    removed = removed.where(own, columns.removed_version == version, columns.removal.is_not(None))
    for path, vector_id, deleted_ms in connection.execute(removed):
        sums.remove(path, vector_id, deleted_ms)
    return sums


def lifetimes_of(
    connection: Connection, table_id: str, paths: Sequence[str], since: int
) -> Iterator[tuple[str, str | None, int, int | None]]:
    """Yields when files of some paths were live, under whichever deletion vectors: those that end after a version.

    Paths have no index: the table's files are gone through, found by their ends.

    Returns:
        Path, deletion vector's id, the version that adds the file, and the one that ends it; None for none.
    """
    columns = delta_files.c
    for end in (columns.removed_version.is_(None), columns.removed_version > since):
        for begin in range(0, len(paths), _PATHS_AT_ONCE):
            query = select(
                columns.path, columns.deletion_vector_id, columns.added_version, columns.removed_version
            ).where(
                columns.table_id == table_id,
                end,
                columns.added_version.is_not(None),
                columns.path.in_(paths[begin : begin + _PATHS_AT_ONCE]),
            )
            yield from (tuple(row) for row in connection.execute(query))


def end_live(connection: Connection, table_id: str, files: Iterable[FileLifetime]) -> None:
    """Writes when and how live files end, as the given rows have it."""
    changes = [
        {
            "of_table": table_id,
            "of_hash": file.key_hash,
            "of_path": file.path,
            "of_vector": file.deletion_vector_id,
            "to_version": file.removed_version,
            "to_timestamp": file.deletion_timestamp,
            "to_removal": file.removal,
            "to_own_remove": file.own_remove,
        }
        for file in files
    ]
    if changes:
        connection.execute(_END, changes)
