"""Every method that the log alone can answer, at every version of every shared table, held against delta-rs.

Where the two differ on purpose, a test below says how.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError

from tests.support.shared_tables import SharedTable, shared_params, shared_tables
from tests.table.catalogs import by_delta_rs, imported, opened, versions_of

STRUCT_STATS_ONLY = "drs/delta-1.2.1-only-struct-stats"
"""Its checkpoint has statistics as structs alone: delta-rs shows none, SQL has what they say."""

ZERO = "/basic-decimal-table"
"""Its `col3` has the minimum 0E-10, which delta-rs reads as nothing, and SQL as zero."""

ODD_HISTORY = {
    "edge/commit_of_zero_bytes",  # delta-rs numbers commitInfos from the newest downwards, whatever is between them
    "edge/gap_before_the_checkpoint",  # delta-rs goes on below the gap
}


def is_opened_by_delta_rs(shared: SharedTable) -> bool:
    if not shared.is_ok:
        return False
    try:
        deltalake.DeltaTable(shared.location)
    except deltalake.exceptions.DeltaError:
        return False
    return True


OPENED = shared_params(is_opened_by_delta_rs)


def has_checkpoint(shared: SharedTable, version: int) -> bool:
    """Whether delta-rs begins with a checkpoint, in whose order it then lists the files."""
    names = (path.name for path in Path(shared.location, "_delta_log").glob("[0-9]*.checkpoint*"))
    return any(int(name[:20]) <= version for name in names)


def at_every_version(shared: SharedTable, answer: Callable[[Any, int], Any]) -> None:
    """Asserts that `answer(table, version)` is the same for delta-rs and for SQL."""
    for version in versions_of(shared):
        theirs = by_delta_rs(shared, version)
        assert answer(opened(shared, version), version) == answer(theirs, version), f"version {version}"


def outcome(answer: Callable[[], Any]) -> Any:
    """What a call gives, or the exceptions of delta-rs that it can be caught as."""
    try:
        return answer()
    except Exception as error:
        return [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "_internal"]


@pytest.mark.parametrize("shared", OPENED)
def test_facts(shared):
    def facts(table: Any, _: int) -> Any:
        metadata = table.metadata()
        return {
            "version": table.version(),
            "table_uri": table.table_uri,
            "schema": table.schema(),
            "metadata": str(metadata)[: str(metadata).index("configuration")],
            "configuration": metadata.configuration,
            "types": [type(metadata), type(table.protocol()), type(table.schema())],
            "protocol": table.protocol(),
        }

    at_every_version(shared, facts)


@pytest.mark.parametrize("shared", OPENED)
def test_file_uris(shared):
    # Paths that are absolute: delta-rs joins them below the table's folder, where nothing is.
    if any(path[0] == "/" or ":/" in path for at in _files(shared) for path in at):
        pytest.skip("delta-rs has no answer")
    at_every_version(
        shared, lambda table, v: sorted(table.file_uris()) if has_checkpoint(shared, v) else table.file_uris()
    )


@pytest.mark.parametrize("shared", OPENED)
def test_partitions(shared):
    def partitions(table: Any, _: int) -> Any:
        found = table.partitions()
        if shared.name == "edge/empty_string_partition_value":
            # For delta-rs the empty text is a value here, though it is NULL for PROTOCOL.md, and in its own rows.
            found = [{name: value or None for name, value in each.items()} for each in found]
        return sorted({repr(sorted(each.items())) for each in found}), {type(found), *map(type, found)}

    at_every_version(shared, partitions)


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("shared", OPENED)
def test_get_add_actions(shared, flatten):
    def actions(table: Any, version: int) -> Any:
        found = pa.table(table.get_add_actions(flatten))
        found = found.sort_by("path") if has_checkpoint(shared, version) else found
        shown = found.select(["path", "size_bytes"]) if shared.name == STRUCT_STATS_ONLY else found
        rows = [repr(row) for row in shown.to_pylist()]
        if shared.name.endswith(ZERO):
            rows = [row.replace("Decimal('0E-10')", "None") for row in rows]
        return type(table.get_add_actions(flatten)), _described(found.schema), rows

    at_every_version(shared, actions)


@pytest.mark.parametrize("shared", shared_params(lambda table: table.name == STRUCT_STATS_ONLY))
def test_statistics_that_delta_rs_does_not_see(shared):
    assert opened(shared).count() == 12
    assert by_delta_rs(shared).count() == 2


@pytest.mark.parametrize("shared", OPENED)
def test_count(shared):
    if shared.name == STRUCT_STATS_ONLY:
        pytest.skip("delta-rs does not see its statistics")
    at_every_version(shared, lambda table, _: table.count())


@pytest.mark.parametrize("shared", OPENED)
def test_history(shared):
    if shared.name in ODD_HISTORY:
        pytest.skip("delta-rs gets versions wrong")
    theirs = by_delta_rs(shared)
    # At an older version, too, delta-rs gives the whole log's history, with the newest commits numbered from there.
    ours = {row["version"]: row for row in theirs.history()}
    for version in versions_of(shared):
        table = opened(shared, version)
        assert table.history() == [row for number, row in ours.items() if number <= version], f"version {version}"
        assert table.history(2) == table.history()[:2]
    assert opened(shared).history(3) == theirs.history(3)


@pytest.mark.parametrize("shared", shared_params(lambda table: table.name in ODD_HISTORY))
def test_history_where_delta_rs_gets_versions_wrong(shared):
    operations = shared.expected["operations"]
    history = opened(shared).history()
    assert {str(row["version"]): row["operation"] for row in history} == {v: o for v, o in operations.items() if o}


@pytest.mark.parametrize("shared", OPENED)
def test_deletion_vectors(shared):
    def vectors(table: Any, _: int) -> Any:
        reader = table.deletion_vectors()
        found = pa.table(reader.read_all())
        return type(reader), found.schema, sorted(map(repr, found.to_pylist()))

    try:
        by_delta_rs(shared).deletion_vectors()
    except deltalake.exceptions.DeltaError as error:
        if "Unsupported table features" in str(error):  # of rows, none of which are read here
            assert opened(shared).deletion_vectors().read_all().num_rows == 0
            return
    at_every_version(shared, lambda table, v: outcome(lambda: vectors(table, v)))


@pytest.mark.parametrize("shared", OPENED)
def test_transaction_version(shared):
    apps = [*shared.expected["transactions"], "nobody"]
    at_every_version(shared, lambda table, _: [table.transaction_version(app) for app in apps])


@pytest.mark.parametrize("shared", OPENED)
def test_versions_that_are_not_there(shared):
    # Below the floor delta-rs goes on in spite of a gap, or says that there is no table.
    for version in (shared.expected["version"] + 1, shared.expected["first_version"] - 1):
        error = DeltaError if version >= 0 else OverflowError
        with pytest.raises(error):
            imported(shared).table(shared.name, version=version)
        if version != shared.expected["first_version"] - 1 or version < 0:
            with pytest.raises(error):
                deltalake.DeltaTable(shared.location, version=version)


@pytest.mark.parametrize("shared", OPENED)
def test_times(shared):
    first, last = shared.expected["first_version"], shared.expected["version"]
    commits = [Path(shared.location, "_delta_log", f"{version:020}.json") for version in range(first, last + 1)]
    if shared.name in ODD_HISTORY or not all(path.is_file() for path in commits):
        pytest.skip("delta-rs begins with the first commit that has a file")
    if any("inCommitTimestamp" in path.read_text() for path in commits):
        pytest.skip("delta-rs goes by the times of files alone")
    theirs, ours = deltalake.DeltaTable(shared.location), imported(shared).table(shared.name)
    times = {datetime.fromtimestamp(int(path.stat().st_mtime), UTC) for path in commits[-8:]}
    for time in [datetime(1999, 1, 1, tzinfo=UTC), *sorted(times), datetime(2999, 1, 1, tzinfo=UTC)]:
        theirs.load_as_version(time)
        ours.load_as_version(time)
        assert ours.version() == theirs.version(), time


def test_some_tables_are_compared():
    if shared_tables():
        assert len(OPENED) > 150


def _files(shared: SharedTable) -> list[list[str]]:
    return [opened(shared, version).files()["path"].to_pylist() for version in versions_of(shared)]


def _described(schema: pa.Schema) -> Any:
    """A schema with all that makes two of them differ; pyarrow leaves out what fields note."""
    return [_field(field) for field in schema]


def _field(field: pa.Field) -> Any:
    inside = [_field(child) for child in field.type] if pa.types.is_struct(field.type) else str(field.type)
    return field.name, field.nullable, field.metadata, inside
