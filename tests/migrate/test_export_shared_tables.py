"""Every shared table goes into SQL and out again: what comes out is held against the original by other readers."""

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.migrate.export import export_table
from deltalakedb.migrate.importer import import_table
from tests.support.catalogs import MOMENTS, WATERMARK, Dump, dump
from tests.support.rebuild import plain
from tests.support.shared_tables import SharedTable, shared_params

pytestmark = pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok))

NOT_OF_THE_LOG = MOMENTS | WATERMARK | {"location", "log_bytes_processed", "log_bytes_total", "commit_digest"}


def versions(database: Database, table_id: str) -> range:
    with database.reading() as connection:
        entry = registry.readable(connection, table_id)
    return range(entry.first_version, entry.version + 1)


def actions(log: Path, version: int) -> Counter[str]:
    """The actions of a commit, read in the plainest way."""
    text, found, position = (log / f"{version:020d}.json").read_text(encoding="utf-8-sig"), [], 0
    while rest := text[position:].lstrip():
        value, length = json.JSONDecoder().raw_decode(rest)
        position = len(text) - len(rest) + length
        found += [{name: body} for name, body in value.items() if body is not None]
    return Counter(map(plain, found))


def test_an_export_has_every_action_and_gives_the_same_rows_again(
    one_database: Database, shared: SharedTable, tmp_path: Path
):
    import_table(one_database, shared.location, shared.name, resume=True)
    export_table(one_database, shared.name, tmp_path / "out")
    for version in versions(one_database, shared.name):
        assert_same_commit(one_database, shared, tmp_path / "out", version)
    assert_same_rows_again(one_database, shared, tmp_path / "out")


def assert_same_commit(database: Database, shared: SharedTable, exported: Path, version: int) -> None:
    name = f"{version:020d}.json"
    original, written = (Path(root, "_delta_log", name) for root in (shared.location, exported))
    assert written.exists() == original.exists()
    if not written.exists():
        return
    assert written.stat().st_mtime_ns // 10**6 == original.stat().st_mtime_ns // 10**6
    found, expected = actions(written.parent, version), actions(original.parent, version)
    if is_floor_of_a_checkpoint(database, shared, version):
        assert found <= expected
    else:
        assert found == expected


def assert_same_rows_again(database: Database, shared: SharedTable, exported: Path) -> None:
    again = f"{shared.name} again"
    import_table(database, str(exported), again)
    assert versions(database, again) == versions(database, shared.name)
    if not is_floor_of_a_checkpoint(database, shared, versions(database, again)[0]):
        tables = (shared.name, again)
        left, right = (on_one_line(dump(url(database), name, without=NOT_OF_THE_LOG)) for name in tables)
        for name in left:
            assert right[name] == left[name], name
    for version in versions(database, shared.name):
        assert state(database, again, version) == state(database, shared.name, version)
    forget(database, again)


def is_floor_of_a_checkpoint(database: Database, shared: SharedTable, version: int) -> bool:
    first = versions(database, shared.name)[0]
    return version == first and (first > 0 or not Path(shared.location, "_delta_log", f"{0:020d}.json").exists())


def test_delta_rs_sees_the_same_table_at_every_version(shared: SharedTable, sqlite_url: str, tmp_path: Path):
    database = Database(sqlite_url)
    import_table(database, shared.location, shared.name)
    export_table(database, shared.name, tmp_path / "out")
    database.close()
    for version in versions(database, shared.name):
        try:
            original = seen(shared.location, version)
        except (DeltaError, ValueError):
            continue  # it opens less than we do
        found = seen(str(tmp_path / "out"), version)
        # Before a gap there may be older commits, from which no version can be rebuilt.
        del original["history"][len(list((tmp_path / "out" / "_delta_log").glob("*.json"))) :]
        for ours, theirs in zip(found["files"], original["files"], strict=True):
            if theirs["num_records"] is None:  # delta-rs may not find statistics that we did
                for name in ("num_records", "null_count", "min", "max"):
                    ours.pop(name, None)
                    theirs.pop(name, None)
        assert found == original
        assert deltalake.DeltaTable(tmp_path / "out").version() == versions(database, shared.name)[-1]


def seen(location: str, version: int) -> dict[str, Any]:
    """What delta-rs says of a version."""
    table = deltalake.DeltaTable(location, version=version)
    files = pa.table(table.get_add_actions()).to_pylist()
    metadata, protocol = table.metadata(), table.protocol()
    return {
        "version": table.version(),
        "files": sorted(map(to_the_millisecond, files), key=str),
        "protocol": protocol,
        "metadata": (metadata.id, metadata.name, metadata.description, metadata.partition_columns),
        "configuration": metadata.configuration,
        "created": metadata.created_time,
        "schema": json.loads(table.schema().to_json()),
        "history": table.history(),
    }


def on_one_line(rows: Dump) -> Dump:
    """The same with blanks for line breaks: an export writes one action a line, however its JSON was laid out."""
    return {name: [{k: flat(v) for k, v in row.items()} for row in table] for name, table in rows.items()}


def flat(value: Any) -> Any:
    return re.sub(r"\s+", " ", value) if isinstance(value, str) else value


def forget(database: Database, table_id: str) -> None:
    with database.transaction() as connection:
        registry.forget(connection, table_id)


def url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def state(database: Database, table_id: str, version: int) -> dict[str, Any]:
    """Everything that SQL says of a version."""
    with database.reading() as connection:
        found = snapshot(connection, registry.readable(connection, table_id), version)
        ended = {"removed_version": None, "deletion_timestamp": None, "removal": None}
        return {
            "files": sorted(map(as_read, (file._replace(**ended) for file in found.files()))),
            "tombstones": sorted(as_read(file) for file in found.tombstones()),
            "metadata": as_read(found.metadata()),
            "protocol": as_read(found.protocol()),
            "transactions": list(map(as_read, found.transactions())),
            "domains": list(map(as_read, found.domain_metadata())),
            "commits": list(map(as_read, found.commits())),
        }


def as_read(row: Any) -> str:
    """A row as text; what a checkpoint may say in other letters, it may."""
    fields = {name: flat(value) for name, value in row._asdict().items()}
    fields.pop("partition_key", None)  # of the letters of partition_values
    for name in ("partition_values", "tags", "deletion_vector", "extra", "removal", "format", "configuration",
                 "partition_columns", "reader_features", "writer_features"):  # fmt: skip
        value = fields.get(name)
        if isinstance(value, str) and not (name == "configuration" and "domain" in fields):
            fields[name] = json.dumps(json.loads(value), sort_keys=True)
    return str(fields)


def to_the_millisecond(value: Any) -> Any:
    """The same as JSON would have it: a checkpoint's parsed statistics may tell times to the microsecond."""
    if isinstance(value, dict):
        return {name: to_the_millisecond(item) for name, item in value.items()}
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value
