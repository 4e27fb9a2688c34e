"""A catalog with something in every column that a copy has to bring along, and all that a database holds of one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.types.string import TextLoader

from deltalakedb.catalog.database import Database
from deltalakedb.catalog.schema import schema
from deltalakedb.errors import DeltaLakeDBError
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.validate import validate_and_keep
from deltalakedb.table.indexing import index
from tests.support import databases, mariadb
from tests.support.databases import driver_url
from tests.support.logs import LogBuilder, add, cdc, commit_info, domain, dv, metadata, protocol, remove, txn

KINDS = ("sqlite", "postgresql", "mysql")
ODD = "o'd\"d; \\ %s \N{GRINNING FACE} é"
"""A table id, and a part of paths, that a careless statement would stumble over."""

Everything = dict[str, list[dict[str, Any]]]


@contextmanager
def fresh(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Gives the URL of one more empty database."""
    if kind == "sqlite":
        folder.mkdir()
        yield databases.sqlite_url(folder)
    elif kind == "postgresql":
        with databases.fresh_postgres(request.getfixturevalue("postgres_server")) as url:
            yield url
    else:
        with mariadb.fresh_mysql(request.getfixturevalue("mysql_server")) as url:
            yield url


def rich_log(path: Path) -> LogBuilder:
    """A table with a gap to come, deletion vectors, changes, transactions, domains, and unusual texts."""
    log = LogBuilder(path)
    log.commit(
        protocol(features=["deletionVectors"], writer_features=["domainMetadata", "rowTracking"], unknown="kept"),
        metadata({"id": "long", "p": "string"}, ["p"], {"a": ""}, name=ODD, description="", unknown=[1]),
        *(_file(n, f"{n} {ODD}.parquet", baseRowId=n, defaultRowCommitVersion=0) for n in range(8)),
        add("none", partitionValues={"p": None}, stats=None, tags={"k": "\N{MUSICAL SYMBOL G CLEF}", "": ""}, more="x"),
        txn("app \N{GRINNING FACE}", 2**62, lastUpdated=1),
        txn("", 0, more=1),
        domain(ODD, ""),
        {"unknownAction": {"text": ODD}},
        commit_info(userName=ODD, userId="u", operationMetrics={"numFiles": "8"}, isBlindAppend=True, engineInfo=""),
    )
    log.commit(
        remove("none", partitionValues={"p": None}, size=100, extendedFileMetadata=True, unknown=2),
        remove(_path(0), deletionTimestamp=5),
        add(_path(0), partitionValues={"p": "0"}, deletionVector=dv(), clusteringProvider="liquid", dataChange=False),
        cdc("_change_data/b", partitionValues={"p": "1"}, tags={"t": ODD}, dataChange=False),
        cdc("_change_data/a", partitionValues={"p": None}, more=1),
        domain(ODD, "x", removed=True),
        commit_info("MERGE", txnId="t", operationParameters={"predicate": ODD, "n": None}),
    )
    log.commit(*(_file(n, f"later {n}") for n in (9, 3, 7, 1)), metadata({"id": "long", "p": "string"}, ["p"]))
    return log


def _path(number: int) -> str:
    return f"{number} {ODD}.parquet"


def _file(number: int, path: str, **fields: Any) -> dict[str, Any]:
    stats = f'{{"numRecords":{number},"minValues":{{"id":{number}}},"maxValues":{{"id":{number * 7}}}}}'
    return add(path, partitionValues={"p": str(number % 3)}, stats=stats, size=2**40 + number, **fields)


def lose(log: LogBuilder) -> None:
    """Goes on with the log, and lets what an import has not seen be cleaned up."""
    log.commit(add("between"), commit_info())
    log.commit(remove("between"), _file(2, "own"), txn("app \N{GRINNING FACE}", 2**62 + 1), commit_info())
    log.checkpoint()
    log.drop(range(log.version))
    log.commit(_file(5, "after"), commit_info())


def fill(url: str, folder: Path) -> dict[str, LogBuilder]:
    """Fills a catalog: a table with all there is, a small one, one whose import failed; returns the logs by table id.

    The first one has an index, a validation, and a gap, behind which a sync went on.
    """
    logs = {ODD: rich_log(folder / "rich"), "small": LogBuilder(folder / "small")}
    logs["small"].commit(protocol(), metadata(), *(add(f"{n}.parquet") for n in range(3)), commit_info())
    broken = LogBuilder(folder / "broken")
    broken.commit(add("no protocol"))
    database = Database(url)
    for table_id, log in logs.items():
        import_table(database, str(log.root), table_id)
    with pytest.raises(DeltaLakeDBError):
        import_table(database, str(broken.root), "broken")
    lose(logs[ODD])
    import_table(database, str(logs[ODD].root), ODD, resume=True, command="sync")
    index(database, ODD, ["id"])
    validate_and_keep(database, str(logs[ODD].root), ODD)
    database.close()
    return logs


def everything(url: str, *, ordered: bool = False, own_events: bool = False) -> Everything:
    """All rows of all SQL tables of a catalog, read without the code under test, in an order of their own.

    Args:
        url: where the catalog is.
        ordered: files come in the order in which they lie there, table by table.
        own_events: runs of `copy-catalog` are among the events.
    """
    engine, found = sa.create_engine(driver_url(url), poolclass=sa.NullPool), Everything()
    place = {"sqlite": "rowid", "postgresql": "ctid", "mysql": "place"}[engine.dialect.name]
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # JSON as it is there
            connection.connection.driver_connection.adapters.register_loader("json", TextLoader)
        for name in sorted(schema.tables.keys() - {"deltalakedb_schema"}):
            order = f" ORDER BY table_id, {place}" if ordered and name in ("delta_files", "delta_cdc_files") else ""
            rows = connection.execute(sa.text(f"SELECT * FROM {name}{order}")).mappings()
            plain = [{key: _plain(name, key, value) for key, value in row.items()} for row in rows]
            found[name] = plain if order else sorted(plain, key=repr)
    engine.dispose()
    if not own_events:
        found["migration_events"] = [row for row in found["migration_events"] if row["command"] != "copy-catalog"]
    return found


def _plain(table: str, name: str, value: Any) -> Any:
    """A value as all databases have it."""
    if isinstance(schema.tables[table].c[name].type, sa.DateTime) and value is not None:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).isoformat()
    return int(value) if isinstance(value, bool) else value
