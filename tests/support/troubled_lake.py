"""A lake as a status page shows it: many tables, and among them what fails, falls behind, differs, and runs."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from deltalakedb.catalog.database import Database
from deltalakedb.catalog.registry import this_process
from deltalakedb.errors import DeltaLakeDBError
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.validate import validate_and_keep
from tests.support.catalogs import execute
from tests.support.logs import LogBuilder, add, commit_info, dv, metadata, protocol, remove

EVIL = "<script>document.title='owned'</script>\"'&\n?#/x"
RICH = "sales/orders"
_AREAS = ("sales", "finance", "web", "iot", "logistics", "people")
_THINGS = ("orders", "payments", "clicks", "sensors", "shipments", "sessions", "refunds", "events", "invoices", "stock")
_WRITERS = ("etl@warehouse", "spark-nightly", "ana", "streaming-job")


class TroubledLake(NamedTuple):
    """The tables that somebody should look at, by what is wrong with them."""

    failed: list[str]
    interrupted: list[str]
    behind: list[str]
    drifted: list[str]


def troubled_lake(url: str, folder: Path, tables: int = 240) -> TroubledLake:
    """Fills a catalog; the tables' logs are below the folder."""
    database, dice = Database(url), random.Random(8)
    names = [f"{_AREAS[n % 6]}/{_THINGS[n // 6 % 10]}_{n:03}" for n in range(tables)]
    import_table(database, str(rich_table(folder / "orders", dice)), RICH)
    validate_and_keep(database, str(folder / "orders"), RICH)
    import_table(database, str(evil_table(folder / "evil")), EVIL)
    for number, name in enumerate(names):
        location = folder / f"table-{number:03}"
        _small_table(location, dice, whole=number % 60 != 7)
        try:
            import_table(database, str(location), name)
        except DeltaLakeDBError:
            assert number % 60 == 7
    found = TroubledLake(names[7::60], names[11::80], [RICH, *names[5::30]], names[23::110])
    _trouble(database, url, found, folder, names)
    database.close()
    return found


def _trouble(database: Database, url: str, found: TroubledLake, folder: Path, names: list[str]) -> None:
    for name in found.drifted:
        execute(url, "UPDATE delta_files SET size = size + 1 WHERE table_id = :name", name=name)
        validate_and_keep(database, str(folder / f"table-{names.index(name):03}"), name)
    for name in found.behind:
        location = folder / ("orders" if name == RICH else f"table-{names.index(name):03}")
        log = LogBuilder(location, version=len(list((location / "_delta_log").iterdir())))
        for _ in range(12):
            log.commit(commit_info())
        import_table(database, str(location), name, resume=True, stop=lambda: True)  # it looks, and stops at once
    for name in found.interrupted:
        stopped = "UPDATE migration_status SET status = 'interrupted', error_message = 'Interrupted'"
        execute(url, f"{stopped} WHERE table_id = :name", name=name)


def pretend_running(url: str, table_id: str, share: float) -> None:
    """Says that this process imports a table and has come so far, in a quarter of an hour."""
    begun = datetime.now(UTC) - timedelta(minutes=15)
    execute(
        url,
        "UPDATE migration_status SET status = 'running', version = NULL, completed_at = NULL, owner = :owner, "
        "claimed_at = :begun, heartbeat_at = :now, log_bytes_total = 1000000, log_bytes_processed = :done, "
        "commits_total = 4000, commits_processed = :commits, files_processed = :files, files_at_claim = 0, "
        "commits_at_claim = 0, log_bytes_at_claim = 0 WHERE table_id = :table_id",
        "DELETE FROM delta_tables WHERE table_id = :table_id",
        owner=this_process(),
        begun=_as_kept(url, begun),
        now=_as_kept(url, datetime.now(UTC)),
        done=int(share * 1_000_000),
        commits=int(share * 4000),
        files=int(share * 400_000),
        table_id=table_id,
    )


def _as_kept(url: str, moment: datetime) -> datetime:
    """PostgreSQL keeps zones, the others don't."""
    return moment if url.startswith("postgresql") else moment.replace(tzinfo=None)


def rich_table(location: Path, dice: random.Random) -> Path:
    """A log of 90 days with everything that a page can show."""
    log, live, number = LogBuilder(location), list[dict](), 0
    first = {"order_id": "long", "customer": "string", "amount": "double", "day": "date"}
    for version in range(90):
        actions = [_by(version, dice)]
        if version == 0:
            actions += [protocol(features=["deletionVectors"]), metadata(first, ["day"])]
        if version == 31:
            actions.append(metadata({**first, "note": "string"}, ["day"]))
        if version == 58:
            later = {"note": "string", "amount": "decimal(18,2)", "channel": "string"}
            actions.append(metadata(first | later, ["day"]))
        if version % 20 == 19:  # compaction
            gone, live = live[: len(live) // 2], live[len(live) // 2 :]
            actions += [_removed(one["add"]) for one in gone]
            whole = sum(one["add"]["size"] for one in gone)
            made = [_file(number + n, version, whole // max(1, len(gone) // 6), dice) for n in range(len(gone) // 6)]
        else:
            made = [_file(number + n, version, _size(dice), dice, vectors=True) for n in range(8)]
        number += len(made)
        log.commit(*actions, *made)
        live += made
    return log.root


def evil_table(location: Path) -> Path:
    """Names that hold HTML, quotes and newlines, wherever a log may have a name."""
    log = LogBuilder(location)
    log.commit(
        commit_info(f"<b>{EVIL}", userName=EVIL, engineInfo=EVIL, timestamp=10**18),
        protocol(features=["deletionVectors"]),
        metadata({EVIL: "long", "part": "string"}, ["part"]),
        add("a", partitionValues={"part": EVIL}, size=5, deletionVector=dv()),
        add("b", partitionValues={"part": None}, size=1 << 30),
    )
    log.commit(metadata({"part": "string", "new<i>": "long"}, ["part"]))
    return log.root


def _small_table(location: Path, dice: random.Random, *, whole: bool) -> None:
    log = LogBuilder(location)
    for version in range(dice.randrange(2, 7)):
        head = [] if version else [protocol(), metadata({"id": "long", "day": "date"}, ["day"])]
        files = [_file(version * 10 + n, version, _size(dice), dice) for n in range(5)]
        log.commit(_by(version, dice), *head, *files)
    if not whole:
        (log.log / f"{log.version:020}.json").write_text('{"add": {"path": "cut o')


def _size(dice: random.Random) -> int:
    return int(dice.lognormvariate(16.8, 1.5))


def _removed(file: dict) -> dict:
    return remove(file["path"], **{name: file[name] for name in ("size", "deletionVector") if name in file})


def _file(number: int, version: int, size: int, dice: random.Random, *, vectors: bool = False) -> dict:
    day = str(datetime(2026, 8, 1, tzinfo=UTC).date() + timedelta(days=version % 30))
    vector = {"deletionVector": dv()} if vectors and dice.random() < 0.12 else {}
    stats = json.dumps({"numRecords": size // 90 + 1})
    values = {"partitionValues": {"day": day}, "size": size, "stats": stats, **vector}
    return add(f"day={day}/part-{number:06}.parquet", **values)


def _by(version: int, dice: random.Random) -> dict:
    when = datetime(2026, 8, 1, 3, tzinfo=UTC) + timedelta(days=version, minutes=dice.randrange(600))
    operation = "OPTIMIZE" if version % 20 == 19 else dice.choice(("WRITE", "WRITE", "MERGE", "DELETE"))
    told = {"timestamp": int(when.timestamp() * 1000), "userName": dice.choice(_WRITERS)}
    return commit_info(operation, engineInfo="Apache-Spark/4.0.1 Delta-Lake/4.0.0", **told)
