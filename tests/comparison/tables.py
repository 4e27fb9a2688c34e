"""Random tables as they stand in lakes: files of several schemas, whose statistics are honest and hard on readers.

    table = made(seed)         # what there is: the same for the same seed
    write(table, tmp / "t")    # Parquet files, deletion vectors and a log
    truth(table)               # the rows that every reader should find

Every row has a `key` of its own, so that it can be found again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tests.comparison import partitions, schemas, statistics, vectors
from tests.comparison.kinds import Dice, is_nan, some_values, widened
from tests.comparison.schemas import Designer, Field, Mapping, Primitive, Struct, fields_at
from tests.support import logs
from tests.support.logs import LogBuilder

KEY = "key"

_FOLDERS = ("", "", "", "a%20b/", "%C3%BC/")


@dataclass(frozen=True)
class DataFile:
    """A file that was added.

    Attributes:
        path: as in the log.
        epoch: of the schema that it was written with.
        rows: all of them, under physical names, without partition columns.
        partition: the values of the partition columns, under physical names.
        spelled: the same as in the log.
        stats: as in the log.
        deleted: the rows that a deletion vector hides.
        storage: where that is.
        later: whether it came with a later commit than the file.
        removed: whether the file was removed again.
        options: how the Parquet file is written.
    """

    path: str
    epoch: int
    rows: tuple[dict[str, Any], ...]
    partition: dict[str, Any]
    spelled: dict[str, Any]
    stats: str | None
    deleted: frozenset[int] = frozenset()
    storage: vectors.Storage = "i"
    later: bool = False
    removed: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def valid_rows(self) -> list[dict[str, Any]]:
        """The rows that readers should find."""
        return [] if self.removed else [row for at, row in enumerate(self.rows) if at not in self.deleted]


@dataclass(frozen=True)
class Table:
    """A table: its columns as they were in each epoch, and its files.

    Attributes:
        seed: what it was made from.
        fields: the columns.
        keys: the physical names of the partition columns.
        epochs: how many there are.
        mapping: the mode of column mapping.
        listed: which of the protocol's lists names column mapping: `both`, `legacy` for reader version 2, or `writer`.
        files: those that were ever added.
    """

    seed: int
    fields: tuple[Field, ...]
    keys: tuple[str, ...]
    epochs: int
    mapping: Mapping | None
    listed: str
    files: tuple[DataFile, ...]

    @property
    def last(self) -> int:
        """The newest epoch."""
        return self.epochs - 1

    @property
    def is_widened(self) -> bool:
        """Whether a type was widened."""
        return any(schemas.is_widened(each.type, self.epochs) for each in self.fields)

    @property
    def has_vectors(self) -> bool:
        """Whether there are deletion vectors."""
        return any(file.deleted for file in self.files)

    @property
    def is_plain(self) -> bool:
        """Whether pyarrow reads its files right by itself."""
        return not (self.mapping or self.is_widened or self.has_vectors)


# ---- what readers should find


def rows(table: Table, file: DataFile) -> list[dict[str, Any]]:
    """Returns the rows of a file that readers should find, under the newest names."""
    whole = [{**row, **file.partition} for row in file.valid_rows]
    known = fields_at(table.fields, table.last)
    return [
        {each.names[-1]: schemas.moved(row.get(each.physical), each.type, table.last) for each in known}
        for row in whole
    ]


def truth(table: Table) -> pa.Table:
    """Returns the rows that every reader should find."""
    schema = pa.schema(schemas.as_arrow(table.fields, table.last, physical=False))
    return pa.Table.from_pylist([row for file in table.files for row in rows(table, file)], schema)


def file_of(table: Table) -> dict[int, str]:
    """Returns the path of the file that each key is in."""
    return {row[KEY]: file.path for file in table.files for row in rows(table, file)}


# ---- as files


def write(table: Table, root: Path) -> None:
    """Writes a table's files and its log to a folder."""
    log, dice = LogBuilder(root), random.Random(table.seed)
    for file in table.files:
        _write_data(table, file, root)
    for epoch in range(table.epochs):
        head = [_metadata(table, epoch)] if epoch else [_protocol(table), _metadata(table, 0)]
        new = [file for file in table.files if file.epoch == epoch]
        adds = [_add(file, root, None if file.later else _vector(dice, file, root)) for file in new]
        _commit(log, [*head, *adds])
    changed = [file for file in table.files if file.later]
    if changed:
        again = [_add(file, root, _vector(dice, file, root)) for file in changed if not file.removed]
        _commit(log, [*(logs.remove(file.path) for file in changed), *again])


def write_plain(table: Table, root: Path) -> None:
    """Writes the rows that readers should find as a table that nobody can prune, and has nothing to make of."""
    log, found = LogBuilder(root), truth(table)
    pq.write_table(found, root / "all.parquet", write_statistics=False)
    schema = schemas.as_json(table.fields, table.last, mapped=False, plain=True)
    add = logs.add("all.parquet", size=(root / "all.parquet").stat().st_size, stats=...)
    metadata = logs.metadata(schemaString=msgspec.json.encode(schema).decode())
    log.commit(logs.protocol(features=["timestampNtz"]), metadata, add)


def _commit(log: LogBuilder, actions: list[logs.Action]) -> None:
    log.commit(raw=b"".join(msgspec.json.encode(action) + b"\n" for action in actions))


def _protocol(table: Table) -> logs.Action:
    names = {"deletionVectors": table.has_vectors, "typeWidening": table.is_widened, "timestampNtz": _has_ntz(table)}
    features = [name for name, has in names.items() if has]
    if not table.mapping:
        return logs.protocol(features=features)
    if table.listed == "both":
        return logs.protocol(features=[*features, "columnMapping"])
    if features or table.listed == "writer":
        return logs.protocol(3, 7, features=features, writer_features=["columnMapping"], readerFeatures=features)
    return logs.protocol(2, 5)


def _has_ntz(table: Table) -> bool:
    return any("timestamp_ntz" in str(_metadata(table, epoch)) for epoch in range(table.epochs))


def _metadata(table: Table, epoch: int) -> logs.Action:
    known = fields_at(table.fields, epoch)
    configuration = {"delta.enableTypeWidening": "true"} if table.is_widened else {}
    configuration |= {"delta.enableDeletionVectors": "true"} if table.has_vectors else {}
    if table.mapping:
        most = {"delta.columnMapping.maxColumnId": "1000"}
        configuration |= {"delta.columnMapping.mode": table.mapping, **most}
    schema = schemas.as_json(table.fields, epoch, mapped=table.mapping is not None)
    return logs.metadata(
        partitions=[each.names[epoch] for key in table.keys for each in known if each.physical == key],
        configuration=configuration,
        schemaString=msgspec.json.encode(schema).decode(),
    )


def _write_data(table: Table, file: DataFile, root: Path) -> None:
    data = [each for each in table.fields if each.physical not in table.keys]
    schema = pa.schema(schemas.as_arrow(data, file.epoch, physical=True))
    path = root / unquote(file.path)
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(file.rows), schema), path, **file.options)


def _add(file: DataFile, root: Path, vector: dict[str, Any] | None) -> logs.Action:
    return logs.add(
        file.path,
        partitionValues={name: value for name, value in file.spelled.items() if value is not ...},
        size=(root / unquote(file.path)).stat().st_size,
        stats=... if file.stats is None else file.stats,
        deletionVector=... if vector is None else vector,
    )


def _vector(dice: Dice, file: DataFile, root: Path) -> dict[str, Any] | None:
    return vectors.stored(dice, root, file.deleted, file.storage) if file.deleted else None


# ---- random tables


def made(seed: int) -> Table:
    """Returns the table that belongs to a seed."""
    dice = random.Random(seed)
    epochs = dice.choice([1, 1, 1, 2, 2, 3])
    mapping: Mapping | None = dice.choice([None, None, None, None, "name", "id"])
    designer = Designer(dice, epochs, mapping, widening=dice.random() < 0.3)
    keys = _partition_columns(dice, designer)
    data = [column for _ in range(dice.randint(1, 4)) for column in _columns(dice, designer)]
    key = replace(designer.column(designer.constant("long")), names=(KEY,) * epochs, since=0, until=None)
    key = key if mapping else replace(key, physical=KEY)
    columns = [*keys, *data, key]
    dice.shuffle(columns)
    listed = dice.choice(["both", "both", "legacy", "legacy", "writer"])
    table = Table(seed, tuple(columns), tuple(each.physical for each in keys), epochs, mapping, listed, ())
    return replace(table, files=tuple(_Filler(dice, table).files()))


def _partition_columns(dice: Dice, designer: Designer) -> list[Field]:
    found = []
    for _ in range(dice.choice([0, 0, 1, 1, 2])):
        column = designer.column(designer.primitive())
        first = column.type.names[0] if isinstance(column.type, Primitive) else ""
        # What a text of 32 bits is as a double, nobody says.
        constant = designer.constant(first) if first == "float" else column.type
        found.append(replace(column, type=constant, since=0, until=None))
    return found


def _columns(dice: Dice, designer: Designer) -> Iterator[Field]:
    """A column; now and then the name of one that was dropped is taken again."""
    column = designer.column()
    yield column
    if column.until is not None and dice.random() < 0.5:
        yield replace(designer.column(), names=column.names, since=column.until, until=None)


@dataclass
class _Filler:
    """Fills a table with files."""

    dice: Dice
    table: Table
    _pools: dict[tuple[tuple[str, ...], int], list[Any]] = field(default_factory=dict)
    _keys: int = 0

    def files(self) -> Iterator[DataFile]:
        odd, vectored = self.dice.random() < 0.3, self.dice.random() < 0.25
        for number in range(self.dice.randint(3, 8)):
            yield self._file(number, odd=odd, vectored=vectored)

    def _file(self, number: int, *, odd: bool, vectored: bool) -> DataFile:
        dice, epoch = self.dice, self.dice.randrange(self.table.epochs)
        data = [each for each in fields_at(self.table.fields, epoch) if each.physical not in self.table.keys]
        rows, partition = self._rows(data, epoch), self._partition(epoch)
        deleted = frozenset(at for at in range(len(rows)) if vectored and dice.random() < 0.4)
        kinds = {each.physical: each.type.at(epoch) for each in self.table.fields if isinstance(each.type, Primitive)}
        removed = dice.random() < 0.1
        return DataFile(
            path=f"{dice.choice(_FOLDERS)}{number}.parquet",
            epoch=epoch,
            rows=tuple(rows),
            partition=partition,
            spelled={key: partitions.spelled(dice, kinds[key], value, odd=odd) for key, value in partition.items()},
            stats=statistics.written(dice, list(_measured(dice, data, rows, epoch)), len(rows), counted=bool(deleted)),
            deleted=deleted,
            storage=dice.choice(["i", "i", "u", "p"]),
            later=removed or (bool(deleted) and dice.random() < 0.5),
            removed=removed,
            options=_options(dice, rows, data, epoch),
        )

    def _rows(self, data: list[Field], epoch: int) -> list[dict[str, Any]]:
        windows: dict[tuple[str, ...], list[Any]] = {}

        def pick(path: tuple[str, ...]) -> Any:
            if path not in windows:
                windows[path] = self._window(path, epoch)
            return self.dice.choice(windows[path])

        found = []
        for _ in range(self.dice.choice([0, *[1, 2, 3, 4] * 5])):
            self._keys += 1
            row = {each.physical: schemas.some_of(self.dice, each.type, epoch, pick, (each.physical,)) for each in data}
            found.append({**row, **{each.physical: self._keys for each in data if each.names[epoch] == KEY}})
        return found

    def _window(self, path: tuple[str, ...], epoch: int) -> list[Any]:
        """A few neighbours among a column's values, or none but NULL."""
        if self.dice.random() < 0.08:
            return [None]
        pool = self.pool(path, epoch)
        ordered = sorted(value for value in pool if not is_nan(value))
        at = self.dice.randrange(len(ordered)) if ordered else 0
        found = ordered[at : at + self.dice.randint(1, 3)]
        found += [value for value in pool if is_nan(value) and self.dice.random() < 0.5]
        return [*found, None] if not found or self.dice.random() < 0.4 else found

    def pool(self, path: tuple[str, ...], epoch: int) -> list[Any]:
        """A column's values in an epoch: those of the one before, and some more."""
        if (path, epoch) not in self._pools:
            kind = _type_at(self.table.fields, path).at(epoch)
            before = self.pool(path, epoch - 1) if epoch else []
            fresh = some_values(self.dice, kind, self.dice.randint(2, 5))
            self._pools[path, epoch] = [*(widened(value, kind) for value in before), *fresh]
        return self._pools[path, epoch]

    def _partition(self, epoch: int) -> dict[str, Any]:
        return {key: self._partition_value(key, epoch) for key in self.table.keys}

    def _partition_value(self, key: str, epoch: int) -> Any:
        kind = _type_at(self.table.fields, (key,)).at(epoch)
        values = [value for value in self.pool((key,), epoch) if partitions.can_be_partition(kind, value)]
        return self.dice.choice([*values, None])


def _type_at(fields: Sequence[Field], path: tuple[str, ...]) -> Primitive:
    found = next(each for each in fields if each.physical == path[0]).type
    if isinstance(found, Struct):
        return _type_at(found.fields, path[1:])
    assert isinstance(found, Primitive)
    return found


def _measured(
    dice: Dice, data: Sequence[Field], rows: Sequence[dict[str, Any]], epoch: int
) -> Iterator[statistics.Leaf | statistics.Branch]:
    for way, each in schemas.leaves(data, epoch):
        path = tuple(above.physical for above in way)
        values = [_at(row, path) for row in rows]
        if isinstance(each.type, Primitive):
            yield statistics.Leaf(path, each.type.at(epoch), values)
        else:
            yield statistics.Branch(path, _nulls(dice, values))


def _at(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = None if row is None else row[name]
    return row


def _nulls(dice: Dice, values: Sequence[Any]) -> int:
    """How many nulls a column of lists has: itself, or counted as deltalake 0.22 to 1.5.1 does, by its elements."""
    if dice.random() < 0.4:
        return sum(value is None for value in values)
    return sum(1 if not value else sum(each is None for each in value) for value in values)


def _options(dice: Dice, rows: Sequence[dict[str, Any]], data: Sequence[Field], epoch: int) -> dict[str, Any]:
    found = {
        "compression": dice.choice(["none", "snappy", "zstd"]),
        "use_dictionary": dice.random() < 0.5,
        "write_statistics": dice.random() < 0.8,
        "data_page_version": dice.choice(["1.0", "2.0"]),
        "store_decimal_as_integer": dice.random() < 0.5,
        "store_schema": dice.random() < 0.5,
        "write_page_index": dice.random() < 0.3,
        "row_group_size": dice.choice([1, 2, 1000]),
    }
    text = str(schemas.as_arrow(data, epoch, physical=True))
    if "timestamp[us]" not in text and dice.random() < 0.3 and all(1700 < year < 2200 for year in _years(rows)):
        found["use_deprecated_int96_timestamps"] = True
    return found


def _years(value: Any) -> Iterator[int]:
    if isinstance(value, datetime):
        yield value.year
    elif isinstance(value, dict):
        yield from _years(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _years(each)
