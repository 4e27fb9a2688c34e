"""A catalog moves to another database: with all that it has, equal to the last row, whatever stops the move."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deltalakedb import DeltaTable
from deltalakedb.catalog import events, registry
from deltalakedb.catalog.copying import contents, copy, trail
from deltalakedb.catalog.copying.copy import CopyReport, copy_catalog
from deltalakedb.catalog.copying.proof import Proof, Side
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.owner import owner_of
from deltalakedb.catalog.schema import migration_events, migration_status, schema, schema_version
from deltalakedb.errors import (
    ArgumentError,
    CatalogError,
    DeltaLakeDBError,
    ImportIncompleteError,
    SchemaVersionError,
)
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.rollback import rollback
from deltalakedb.migrate.validate import validate
from tests.catalog.copies import KINDS, ODD, everything, fill, fresh
from tests.support.catalogs import execute
from tests.support.logs import LogBuilder, add, commit_info, metadata, protocol, remove

Pair = tuple[str, str]


@pytest.fixture(params=[(one, other) for one in KINDS for other in KINDS], ids="-to-".join)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """The URLs of two empty databases; the test runs once for each pair of kinds."""
    one, other = request.param
    with fresh(one, request, tmp_path / "one") as source, fresh(other, request, tmp_path / "other") as target:
        yield source, target


@pytest.fixture(params=KINDS)
def from_sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """The same, from SQLite to each kind."""
    kind = request.param
    with fresh("sqlite", request, tmp_path / "one") as source, fresh(kind, request, tmp_path / "other") as target:
        yield source, target


@pytest.fixture
def in_sqlite(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The same, from SQLite to SQLite."""
    with fresh("sqlite", request, tmp_path / "one") as source, fresh("sqlite", request, tmp_path / "other") as target:
        yield source, target


def copied(pair: Pair, **options: Any) -> CopyReport:
    source, target = map(Database, pair)
    try:
        return copy_catalog(source, target, **options)
    finally:
        source.close()
        target.close()


@contextmanager
def reading(url: str) -> Iterator[sa.Connection]:
    with closing(Database(url)) as database, database.reading() as connection:
        yield connection


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table is so small that it is copied together with others."""
    monkeypatch.setattr(copy, "_SMALL_ROWS", -1)


@pytest.mark.usefixtures("one_by_one")
def test_a_copy_is_all_of_the_catalog(pair: Pair, tmp_path: Path):
    logs = fill(pair[0], tmp_path)
    report = copied(pair, batch_size=5)
    assert [(table.table_id, table.status, table.error) for table in report.tables] == [
        ("broken", "copied", None),
        (ODD, "copied", None),
        ("small", "copied", None),
    ]
    assert report.equal
    in_order = not pair[1].startswith("postgresql")
    assert everything(pair[1], ordered=in_order) == everything(pair[0], ordered=in_order)
    assert report.rows["delta_files"] == len(everything(pair[1])["delta_files"])
    for table_id in logs:
        newest = DeltaTable(pair[0], table_id=table_id).version()
        for version in range(newest + 1):
            assert state(pair[0], table_id, version) == state(pair[1], table_id, version)
    assert copied(pair).skipped == 3
    assert everything(pair[1]) == everything(pair[0])


def state(url: str, table_id: str, version: int) -> Any:
    try:
        table = DeltaTable(url, table_id=table_id, version=version)
    except Exception as error:
        return str(error)
    listed = table.files().to_pylist()
    if url.startswith("postgresql"):  # it may put a row where another one has left room
        return sorted(listed, key=repr), table.history()
    return sorted(listed, key=repr), table.history()


def test_a_sync_goes_on_in_the_copy_as_it_would_have(from_sqlite: Pair, tmp_path: Path):
    logs = fill(from_sqlite[0], tmp_path)
    copied(from_sqlite)
    log = logs[ODD]
    log.commit(add("new", partitionValues={"p": "9"}), remove("after"), commit_info())
    for url in from_sqlite:
        database = Database(url)
        import_table(database, str(log.root), ODD, resume=True, command="sync")
        assert validate(database, str(log.root), ODD, all_versions=True).valid
        database.close()
    moments = {"synced_at", "started_at", "ended_at", "completed_at", "claimed_at", "heartbeat_at", "event_id"}
    rest = [without(everything(url), moments | {"database_user"}) for url in from_sqlite]
    assert rest[0] == rest[1]


def without(found: Any, names: set[str]) -> Any:
    return {
        table: sorted(({k: v for k, v in row.items() if k not in names} for row in rows), key=repr)
        for table, rows in found.items()
    }


# ---- stopped at any point


class Stop(BaseException):
    """Stands for the end of the process: nothing is noted of it."""


@pytest.mark.parametrize("small", [-1, 12])
def test_a_copy_that_is_stopped_anywhere_goes_on(
    from_sqlite: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int
):
    fill(from_sqlite[0], tmp_path)
    monkeypatch.setattr(contents, "PIECE", 4)
    monkeypatch.setattr(copy, "_SMALL_ROWS", small)
    monkeypatch.setattr(trail, "_PAGE", 2)
    calls = stops = 0

    def stopping(does: Any) -> Any:
        def call(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2 + stops // 2:
                raise Stop
            return does(*arguments)

        return call

    for module, name in ((contents, "append"), (contents, "append_few"), (trail, "_write")):
        monkeypatch.setattr(module, name, stopping(getattr(module, name)))
    report = None
    while report is None:
        try:
            calls = 0
            report = copied(from_sqlite, batch_size=4)
        except Stop:
            stops += 1
            assert_nothing_half_is_read(from_sqlite)
    assert stops > 6
    assert report.equal
    in_order = not from_sqlite[1].startswith("postgresql")
    assert everything(from_sqlite[1], ordered=in_order) == everything(from_sqlite[0], ordered=in_order)


def assert_nothing_half_is_read(pair: Pair) -> None:
    rows = [everything(url) for url in pair]
    with reading(pair[1]) as connection:
        for table_id in ("small", ODD):
            source, ours = ([row for row in all_["delta_files"] if row["table_id"] == table_id] for all_ in rows)
            if registry.status_of(connection, table_id) is None:
                assert ours == []
            elif source != ours or registry.entry_of(connection, table_id) is None:
                with pytest.raises(ImportIncompleteError, match="has not completed") as refused:
                    registry.readable(connection, table_id)
                assert refused.value.hint == "deltalakedb copy-catalog FROM TO"


def test_a_copy_survives_kills(from_sqlite: Pair, tmp_path: Path):
    fill(from_sqlite[0], tmp_path)
    program = """
import os, sys
from deltalakedb.catalog.copying import contents, copy
from deltalakedb.catalog.database import Database
contents.PIECE = 3
copy._SMALL_ROWS = 12
left = int(sys.argv[3])
def listener(progress):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
copy.copy_catalog(Database(sys.argv[1]), Database(sys.argv[2]), listener=listener, batch_size=3)
"""
    codes = [
        subprocess.run([sys.executable, "-c", program, *from_sqlite, str(left)], check=False).returncode
        for left in (2, 5, 9, 10_000)
    ]
    assert codes[-1] == 0
    assert codes.count(-9) >= 2
    assert everything(from_sqlite[1]) == everything(from_sqlite[0])


@pytest.mark.usefixtures("one_by_one")
def test_ctrl_c_is_noted_in_the_copy(from_sqlite: Pair, tmp_path: Path):
    fill(from_sqlite[0], tmp_path)

    def interrupt(progress: Any) -> None:
        if progress.done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copied(from_sqlite, listener=interrupt, batch_size=3)
    with reading(from_sqlite[1]) as connection:
        (stopped,) = [status for status in registry.statuses(connection) if status.is_being_copied]
        (event,) = events.events(connection)
    assert (stopped.status, stopped.error_message, stopped.owner) == ("interrupted", "Interrupted", None)
    assert (event.command, event.status) == ("copy-catalog", "interrupted")
    assert copied(from_sqlite).equal
    assert everything(from_sqlite[1]) == everything(from_sqlite[0])


def test_two_at_once_make_one_copy(from_sqlite: Pair, tmp_path: Path):
    fill(from_sqlite[0], tmp_path)
    both = [subprocess.Popen([sys.executable, "-m", "deltalakedb", "copy-catalog", *from_sqlite]) for _ in range(2)]
    codes = [process.wait() for process in both]
    assert set(codes) <= {0, 1}
    assert 0 in codes or copied(from_sqlite).equal
    assert everything(from_sqlite[1]) == everything(from_sqlite[0])


def test_the_catalog_itself_is_only_read(in_sqlite: Pair, tmp_path: Path):
    fill(in_sqlite[0], tmp_path)
    file = tmp_path / "one" / "catalog.db"
    before = file.read_bytes()
    assert copied(in_sqlite).equal
    assert file.read_bytes() == before


def test_what_changes_meanwhile_is_copied_anew(from_sqlite: Pair, tmp_path: Path):
    log, source = fill(from_sqlite[0], tmp_path)["small"], Database(from_sqlite[0])
    new = LogBuilder(tmp_path / "new")
    new.commit(protocol(), metadata(), add("a"))
    log.commit(add("more"), remove("0.parquet"), commit_info())
    changed = []

    def change(progress: Any) -> None:
        if progress.step == "copying" and not changed:
            changed.append(import_table(source, str(log.root), "small", resume=True, command="sync"))
            changed.append(import_table(source, str(new.root), "new"))

    assert copied(from_sqlite, listener=change).equal
    assert DeltaTable(from_sqlite[1], table_id="small").version() == 1
    assert everything(from_sqlite[1]) == everything(from_sqlite[0])
    source.close()


def test_a_later_run_takes_what_is_new_and_numbers_go_on(from_sqlite: Pair, tmp_path: Path):
    logs, source = fill(from_sqlite[0], tmp_path), Database(from_sqlite[0])
    copied(from_sqlite)
    logs["small"].commit(add("more"), commit_info())
    import_table(source, str(logs["small"].root), "small", resume=True, command="sync")
    source.close()
    report = copied(from_sqlite)
    assert (report.copied, report.skipped, report.equal) == (1, 2, True)
    assert everything(from_sqlite[1]) == everything(from_sqlite[0])
    numbers = [row["event_id"] for row in everything(from_sqlite[1], own_events=True)["migration_events"]]
    own = sorted(set(numbers) - {row["event_id"] for row in everything(from_sqlite[0])["migration_events"]})
    assert len(own) == 2, "both runs are in the trail, the first one behind what has been copied since"
    assert min(own) > max(row["event_id"] for row in everything(from_sqlite[0])["migration_events"])


def test_what_was_rolled_back_since_goes_from_the_copy_too(from_sqlite: Pair, tmp_path: Path):
    logs = fill(from_sqlite[0], tmp_path)
    copied(from_sqlite)
    with closing(Database(from_sqlite[0])) as source:
        rollback(source, "small")
        rollback(source, "broken")
        import_table(source, str(logs["small"].root), "broken")
    report = copied(from_sqlite)
    assert ([table.table_id for table in report.tables], report.equal) == (["broken", ODD], True)
    assert everything(from_sqlite[1]) == everything(from_sqlite[0])


# ---- what differs is found


def test_a_change_of_any_column_is_found(from_sqlite: Pair, tmp_path: Path):
    fill(from_sqlite[0], tmp_path)
    copied(from_sqlite)
    source, target = map(Database, from_sqlite)
    tables = [table for table in schema.sorted_tables if table not in (schema_version, migration_events)]
    missed, most = [], max(len(table.c) for table in tables)
    with source.reading() as theirs, target.writing() as ours:
        for place in range(1, most):  # one column of each SQL table at a time
            changed = {table.name: list(table.c)[place] for table in tables if place < len(table.c)}
            transaction = ours.begin()
            for column in changed.values():
                change(ours, column.table, column)
            proof = Proof(Side(source, theirs), Side(target, ours), lambda _rows: None)
            found = [text for each in proof.compare().values() for text in each.differences]
            expected = [f"{name} differs in {column.name}" for name, column in changed.items()]
            missed += sorted({*found} ^ {*expected})
            transaction.rollback()
    assert missed == []
    source.close()
    target.close()


def change(connection: sa.Connection, table: sa.Table, column: sa.Column[Any]) -> None:
    """Changes one value of the odd table."""
    kind = {sa.Boolean: True, sa.BigInteger: 7_000, sa.Integer: 7_000}.get(type(column.type), "running")
    if isinstance(column.type, sa.DateTime):
        kind = registry.now()
    elif isinstance(kind, str):
        kind = f'"{kind}"'[: column.type.length] if isinstance(column.type, sa.String) else f'"{kind}"'
    own = table.c.table_id == ODD
    if not table.primary_key.columns:
        place = sa.literal_column({"sqlite": "rowid", "postgresql": "ctid", "mysql": "place"}[connection.dialect.name])
        found = connection.execute(sa.select(place).select_from(table).where(own).limit(1)).scalar_one()
        one = place == sa.literal_column(f"'{found}'::tid" if isinstance(found, str) else str(found))
        before = connection.execute(sa.select(column).where(own, one)).scalar_one()
    else:
        row = connection.execute(sa.select(table).where(own).limit(1)).one()._mapping
        one = sa.and_(*(key == row[key.name] for key in table.primary_key.columns))
        before = row[column.name]
    if isinstance(before, bool | int):
        kind = not before if isinstance(before, bool) else before + 7_000
    assert connection.execute(sa.update(table).where(own, one).values({column.name: kind})).rowcount == 1


def test_another_order_of_files_is_found(in_sqlite: Pair, tmp_path: Path):
    fill(in_sqlite[0], tmp_path)
    copied(in_sqlite)
    for one, other in ((1, -1), (2, 1), (-1, 2)):
        execute(in_sqlite[1], f"UPDATE delta_files SET rowid = {other} WHERE rowid = {one}")
    with Database(in_sqlite[0]).reading() as theirs, Database(in_sqlite[1]).reading() as ours:
        sides = (Side(Database(url), connection) for url, connection in zip(in_sqlite, (theirs, ours), strict=True))
        (found,) = [
            each.differences for each in Proof(*sides, lambda _rows: None).compare().values() if each.differences
        ]
    assert found == ["delta_files has its rows in another order"]


def test_damage_of_a_copy_is_mended_by_the_next_run(from_sqlite: Pair, tmp_path: Path):
    fill(from_sqlite[0], tmp_path)
    copied(from_sqlite)
    execute(from_sqlite[1], "UPDATE delta_files SET size = 5 WHERE path = '1.parquet'")
    report = copied(from_sqlite)
    assert (report.copied, report.skipped, report.equal) == (1, 2, True)
    assert everything(from_sqlite[1]) == everything(from_sqlite[0])


def test_what_is_copied_and_is_not_equal_is_named(from_sqlite: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fill(from_sqlite[0], tmp_path)
    append = contents.append

    def careless(connection: Any, dialect: Any, table: Any, found: Any) -> None:
        spoilt = {
            table_id: [(*row[:3], 5, *row[4:]) if row[0] == "1.parquet" else row for row in rows]
            for table_id, rows in found.items()
        }
        append(connection, dialect, table, spoilt)

    monkeypatch.setattr(contents, "append", careless)
    report = copied(from_sqlite)
    assert [(table.table_id, table.status) for table in report.tables if table.error] == [("small", "failed")]
    assert report.tables[-1].error == "the copy differs: delta_files differs in size"
    assert report.differs
    assert not report.equal


def test_every_sql_table_is_copied():
    copied_tables = {*contents.BULK, *contents.FEW, migration_status, migration_events, schema_version}
    assert copied_tables == set(schema.sorted_tables)


# ---- what is refused


def test_a_catalog_is_not_copied_onto_itself(database_url: str):
    with closing(Database(database_url)) as database, database.writing():
        pass
    spelled = database_url.replace("/catalog.db", "/./catalog.db").replace("@localhost", "@LOCALHOST")
    with pytest.raises(ArgumentError, match="is the catalog itself"):
        copied((database_url, spelled))


def test_a_database_with_tables_of_its_own_is_refused(from_sqlite: Pair, tmp_path: Path):
    fill(from_sqlite[0], tmp_path)
    other = LogBuilder(tmp_path / "other")
    other.commit(protocol(), metadata(), add("a"))
    target = Database(from_sqlite[1])
    import_table(target, str(other.root), "other")
    before = everything(from_sqlite[1], own_events=True)
    with pytest.raises(CatalogError, match="it has a table 'other' of its own"):
        copied(from_sqlite)
    assert everything(from_sqlite[1], own_events=True) == before
    target.close()


def test_a_copy_with_a_life_of_its_own_is_refused(from_sqlite: Pair, tmp_path: Path):
    logs = fill(from_sqlite[0], tmp_path)
    copied(from_sqlite)
    target = Database(from_sqlite[1])
    logs["small"].commit(add("more"), commit_info())
    import_table(target, str(logs["small"].root), "small", resume=True, command="sync")
    before = everything(from_sqlite[1], own_events=True)
    with pytest.raises(CatalogError, match="it has seen a run of sync of 'small'"):
        copied(from_sqlite)
    assert everything(from_sqlite[1], own_events=True) == before
    target.close()


@pytest.mark.parametrize("which", [0, 1])
def test_a_catalog_of_another_release_is_refused_as_it_is(in_sqlite: Pair, tmp_path: Path, which: int):
    fill(in_sqlite[0], tmp_path)
    copied(in_sqlite)
    execute(in_sqlite[which], "UPDATE deltalakedb_schema SET version = 3")
    before = everything(in_sqlite[which], own_events=True)
    with pytest.raises(SchemaVersionError, match="has schema version 3") as refused:
        copied(in_sqlite)
    assert "deltalakedb upgrade" in str(refused.value.hint)
    assert everything(in_sqlite[which], own_events=True) == before


def test_what_a_database_can_t_hold_fails_alone(from_sqlite: Pair, tmp_path: Path):
    fill(from_sqlite[0], tmp_path)
    for url in from_sqlite[:1]:
        execute(url, "UPDATE delta_files SET clustering_provider = 'a' || char(0) WHERE path = '1.parquet'")
        execute(url, "UPDATE delta_transactions SET app_id = :long WHERE app_id = ''", long="\N{GRINNING FACE}" * 501)
    report = copied(from_sqlite)
    failed = {table.table_id: table.error or "" for table in report.tables if table.status == "failed"}
    expected = {"sqlite": set(), "postgresql": {"small"}, "mysql": {ODD}}
    assert set(failed) == expected[from_sqlite[1].partition(":")[0]]
    assert report.equal is not bool(failed)
    for error in failed.values():
        assert "NUL" in error or "app_id" in error
    with reading(from_sqlite[1]) as connection:
        assert {entry.table_id for entry in registry.entries(connection)} == {"small", ODD} - set(failed)


def test_a_copy_that_is_not_complete_is_not_copied_on(in_sqlite: Pair, tmp_path: Path):
    fill(in_sqlite[0], tmp_path)
    execute(in_sqlite[0], "UPDATE migration_status SET log_fingerprint = 'copy 0123' WHERE table_id = 'small'")
    report = copied(in_sqlite)
    failed = [(table.table_id, table.error) for table in report.tables if table.status == "failed"]
    assert failed == [("small", "'small' is a copy itself, which has not been completed")]


def test_a_catalog_without_rows_can_be_copied(from_sqlite: Pair, tmp_path: Path):
    with closing(Database(from_sqlite[0])) as database:
        with database.writing():
            pass
        assert copied(from_sqlite, listener=lambda progress: progress.done / progress.total).equal
        with pytest.raises(DeltaLakeDBError):
            import_table(database, str(tmp_path), "none")
    assert copied(from_sqlite, listener=lambda progress: progress.done / progress.total).equal
    assert everything(from_sqlite[1]) == everything(from_sqlite[0])


def test_a_table_that_is_worked_on_fails_alone(in_sqlite: Pair, tmp_path: Path):
    fill(in_sqlite[0], tmp_path)
    with subprocess.Popen(["sleep", "60"]) as other:
        execute(
            in_sqlite[0],
            "UPDATE migration_status SET status = 'running', owner = :owner, heartbeat_at = :now "
            "WHERE table_id = 'small'",
            owner=owner_of(other.pid),
            now=str(registry.now()),
        )
        report = copied(in_sqlite)
        other.kill()
    assert [(table.status, table.table_id) for table in report.tables if table.error] == [("failed", "small")]
    assert "is being synced by process" in str(report.tables[-1].error) or "imported" in str(report.tables[-1].error)
    report = copied(in_sqlite)
    assert (report.copied, report.skipped, report.equal) == (1, 2, True)
