"""The comparison itself: its tables are as writers write them, all that is promised is in them, and it finds faults."""

import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from tests.comparison import schemas, tables
from tests.comparison.compare import Case, Comparison
from tests.comparison.kinds import KINDS
from tests.comparison.predicates import Column, Compare, Constant
from tests.comparison.schemas import List, Map, Primitive, Struct
from tests.comparison.tables import DataFile, Table
from tests.comparison.vectors import bitmap, z85
from tests.support.logs import INLINE_VECTOR
from tests.table.catalogs import comparable

MADE = [tables.made(seed) for seed in range(800)]


def test_delta_rs_reads_the_rows_that_were_written(tmp_path: Path):
    read = Counter[str]()
    for table in MADE[:70]:
        tables.write(table, tmp_path / str(table.seed))
        found = _by_delta_rs(tmp_path / str(table.seed))
        # delta-rs takes a partition value literally that is the empty text.
        if found is not None and not any("" in file.spelled.values() for file in table.files):
            assert found == comparable(tables.truth(table)), table.seed
            read.update(set(_words(table)))
    assert {word: read[word] for word in ("vector i", "vector u", "mapping name", "mapping id") if read[word] < 2} == {}


def _by_delta_rs(root: Path) -> list[str] | None:
    """The rows; None where there is what delta-rs does not read."""
    try:
        return comparable(pa.table(deltalake.DeltaTable(root).scan()))
    except deltalake.exceptions.DeltaError as error:
        if re.search(r"TypeWidening|Malformed JSON|Failed to parse value", str(error)):
            return None
        raise


def test_a_bitmap_is_that_of_the_protocols_example():
    rows = [3, 4, 7, 11, 18, 29]  # PROTOCOL.md, "JSON Example 3 — Inline"
    # Its first 12 bytes are of another format than the one that is described: with a magic number less by one.
    assert z85(bitmap(rows))[16 // 4 * 5 :] == INLINE_VECTOR[12 // 4 * 5 :]


@pytest.mark.parametrize("storage", ["i", "u", "p"])
def test_a_deletion_vector_is_read(tmp_path: Path, storage: str):
    rows = tuple({tables.KEY: number} for number in range(5))
    file = DataFile("0.parquet", 0, rows, {}, {}, '{"numRecords":5}', frozenset({1, 4}), storage)
    tables.write(_of_keys(file), tmp_path / "t")
    found = pa.table(deltalake.DeltaTable(tmp_path / "t").scan().read_all())
    assert sorted(found[tables.KEY].to_pylist()) == [0, 2, 3]
    for path in (tmp_path / "t").rglob("*.bin"):
        (size,) = struct.unpack(">i", path.read_bytes()[-8 - len(bitmap([1, 4])) : -4 - len(bitmap([1, 4]))])
        assert size == len(bitmap([1, 4]))
        assert path.read_bytes()[-4:] == struct.pack(">I", zlib.crc32(bitmap([1, 4])))


def test_everything_that_is_promised_is_in_the_tables():
    seen = Counter(word for table in MADE for word in set(_words(table)))
    promised = {f"{place} {kind}" for place in ("data", "partition") for kind in KINDS}
    promised |= {"struct", "list", "map", "mapping name", "mapping id", "widened", "added", "dropped", "renamed"}
    promised |= {"vector i", "vector u", "vector p", "no statistics", "loose", "removed", "empty file", "NaN", "both"}
    promised |= {"writer", "legacy"}
    assert {word: seen[word] for word in promised if seen[word] < 3} == {}


def _words(table: Table) -> Iterator[str]:
    yield from (table.listed, f"mapping {table.mapping}") if table.mapping else ()
    for each in table.fields:
        if isinstance(each.type, Primitive):
            yield f"{'partition' if each.physical in table.keys else 'data'} {each.type.names[-1]}"
        yield {Struct: "struct", List: "list", Map: "map"}.get(type(each.type), "")
        yield "added" if each.since else ""
        yield "dropped" if each.until else ""
        yield "renamed" if len(set(each.names)) > 1 else ""
        yield "widened" if schemas.is_widened(each.type, table.epochs) else ""
    for file in table.files:
        yield f"vector {file.storage}" if file.deleted else ""
        yield "no statistics" if file.stats is None else "loose" if '"tightBounds":false' in file.stats else ""
        yield "removed" if file.removed else ""
        yield "" if file.rows else "empty file"
        yield "NaN" if "nan" in repr(file.rows) else ""


# ---- the comparison finds what is wrong


def _of_keys(*files: DataFile) -> Table:
    key = schemas.Field(tables.KEY, Primitive(("long",)), (tables.KEY,), 0)
    return Table(0, (key,), (), 1, None, "both", files)


def _failures(tmp_path: Path, url: str, stats: str) -> dict[str, str]:
    """What is wrong with `key = 2` where the file that has it has these statistics."""
    other = '{"numRecords":1,"minValues":{"key":1},"maxValues":{"key":1}}'
    files = [
        DataFile("0.parquet", 0, ({tables.KEY: 1},), {}, {}, other),
        DataFile("1.parquet", 0, ({tables.KEY: 2},), {}, {}, stats),
    ]
    asked = Compare(Column((tables.KEY,), KINDS["long"]), "=", Constant(2, 1))
    with Comparison([url], tmp_path) as comparison:
        found = comparison.of_case(Case(_of_keys(*files), (None, asked), ()))
    return {failure.way: failure.problem for failure in found}


def test_honest_statistics_lose_nothing(tmp_path: Path, sqlite_url: str):
    honest = '{"numRecords":1,"minValues":{"key":2},"maxValues":{"key":2},"nullCount":{"key":0}}'
    assert _failures(tmp_path, sqlite_url, honest) == {}


def test_a_row_that_is_lost_is_found_by_every_way(tmp_path: Path, sqlite_url: str):
    lying = '{"numRecords":1,"minValues":{"key":3},"maxValues":{"key":3},"nullCount":{"key":0}}'
    found = _failures(tmp_path, sqlite_url, lying)
    ways = {f"scan({each})" for each in ("sql", "expression", "tuples")}
    ways |= {"to_pyarrow_table(expression)", "to_pyarrow_table(tuples)", "to_pandas(tuples)", "to_pyarrow_dataset()"}
    ways |= {"to_polars()", "to_duckdb()"}
    assert {way: found.pop(way, None) for way in ways} == dict.fromkeys(ways, "1 rows lost, 0 too many")
    pickers = {f"files({each})" for each in ("sql", "expression", "tuples")}
    pickers |= {"fragments(expression)", "to_pyarrow_dataset(sql)"}
    assert found == dict.fromkeys(pickers, "files lost")


def test_a_case_is_the_same_for_the_same_seed():
    assert repr(Case.of(7)) == repr(Case.of(7))
    assert repr(Case.of(7)) != repr(replace(Case.of(8), table=Case.of(7).table))
