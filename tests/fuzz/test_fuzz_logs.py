"""Whole logs: whatever stands in them is imported and answers every question, or is refused and leaves nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from deltalake.exceptions import DeltaError
from hypothesis import given, settings
from hypothesis import strategies as st

from deltalakedb.client import Catalog, connect
from deltalakedb.errors import DeltaLakeDBError, LogError
from deltalakedb.migrate.assess import assess
from deltalakedb.table.delta_table import DeltaTable
from tests.fuzz import hostile
from tests.support.catalogs import dump, execute, url_of
from tests.support.logs import LogBuilder, add, commit_info, metadata, protocol

READS: tuple[Callable[[DeltaTable], Any], ...] = (
    lambda table: table.schema(),
    lambda table: table.metadata(),
    lambda table: table.protocol(),
    lambda table: table.history(),
    lambda table: table.partitions(),
    lambda table: table.file_uris(),
    lambda table: table.get_add_actions(),
    lambda table: table.get_add_actions(flatten=True),
    lambda table: table.deletion_vectors().read_all(),
    lambda table: table.count(),
    lambda table: table.files(),
    lambda table: table.files(where="id > 3 AND day < '2024-01-01'"),
    lambda table: table.files(where=[("day", "=", "2024-01-01")]),
    lambda table: table.scan(where="id > 3").read_all(),
    lambda table: table.to_pyarrow_dataset(),
    lambda table: table.to_polars().collect(),
    lambda table: table.tombstones(),
    lambda table: table.domain_metadata(),
    lambda table: table.transaction_version("app"),
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    yield from made_catalog(tmp_path_factory.mktemp("catalog"))


def made_catalog(folder: Path) -> Iterator[Catalog]:
    """A catalog that all logs go through; each leaves it as it was."""
    with connect(f"sqlite:///{folder}/catalog.db") as made:
        yield made


@settings(hostile.IN_CI, max_examples=40)
@given(content=hostile.commit(), checkpoint=st.sampled_from((False, False, True)))
def test_a_log_is_imported_whole_or_refused(catalog: Catalog, content: bytes, checkpoint: bool):
    with TemporaryDirectory() as folder:
        root = Path(folder, "t")
        log = LogBuilder(root)
        log.commit(protocol(), metadata({"id": "long", "day": "date"}, ["day"]), add("a.parquet"), commit_info())
        if checkpoint:
            log.checkpoint()
        log.commit(raw=content)
        goes_through(catalog, root)


def goes_through(catalog: Catalog, root: Path) -> bool:
    """Takes a log through everything that is done with one; tells whether it was accepted."""
    try:
        catalog.import_table(str(root), table_id="t")
    except LogError as error:
        refused(catalog, root, error)
        return False
    answers_or_refuses(lambda: catalog.index("t", ["id", "day"]))
    table = catalog.table("t")
    for read in READS:
        answers_or_refuses(lambda read=read: read(table))
    assert answers_or_refuses(lambda: catalog.validate("t", all_versions=True).valid) is not False
    exports(catalog, root)
    assert answers_or_refuses(lambda: catalog.verify_rollback("t").can_rollback) is not None
    catalog.rollback("t")
    assert not any(dump(url_of(catalog)).values())
    return True


def answers_or_refuses(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except (DeltaLakeDBError, DeltaError) as error:
        assert str(error)
        return None


def refused(catalog: Catalog, root: Path, error: LogError) -> None:
    """Nothing is left but the note of the failure, and going on or looking first ends in the same refusal."""
    assert "\n" not in error.message
    assert catalog.tables() == []
    for again in (
        lambda: catalog.import_table(str(root), table_id="t", resume=True),
        lambda: assess(catalog._database, str(root), "t"),
    ):
        with pytest.raises(type(error)) as raised:
            again()
        assert raised.value.message == error.message
    # As in the guide: with a log that can't be read, nothing else is sure to be enough.
    execute(url_of(catalog), "DELETE FROM delta_files WHERE table_id = 't'", "DELETE FROM migration_status")


def exports(catalog: Catalog, root: Path) -> None:
    """What comes out of SQL goes in again, to the same rows."""
    out = root.parent / "out"
    try:
        catalog.export("t", out)
    except DeltaLakeDBError:
        assert not out.exists()
        return
    catalog.import_table(str(out), table_id="again")
    catalog.rollback("again")
    shutil.rmtree(out)
