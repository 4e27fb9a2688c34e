"""Opening a table, moving it, and what it says, on logs that are made for it."""

import pickle
import threading
from datetime import UTC, datetime

import deltalake
import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError, TableNotFoundError

from deltalakedb import errors
from deltalakedb.client import connect
from deltalakedb.table.delta_table import DeltaTable
from tests.support.lake import cleaned_table, orders_table, plain_table
from tests.support.logs import BEGIN_MS, LogBuilder, add, commit_info, domain, metadata, protocol, remove, txn

SECOND = 1000
BEGIN = datetime.fromtimestamp(BEGIN_MS / 1000, UTC)


@pytest.fixture
def orders(tmp_path, database_url):
    """A catalog with the table `orders` of delta-rs' making, on every database."""
    orders_table(tmp_path / "orders")
    with connect(database_url) as catalog:
        catalog.import_table(str(tmp_path / "orders"))
        yield catalog


@pytest.fixture
def written(sqlite_url):
    """Returns a function that imports a log written by hand, and opens it."""

    def open_log(log: LogBuilder, **version) -> DeltaTable:
        with connect(sqlite_url) as catalog:
            catalog.import_table(str(log.root), table_id="t", resume=True)
        return DeltaTable(sqlite_url, table_id="t", **version)

    return open_log


def log_of(tmp_path, *commits, columns=None, partitions=(), configuration=None) -> LogBuilder:
    """A log of one commit each, a second apart, the first with protocol and metadata."""
    log = LogBuilder(tmp_path / "t")
    head = [protocol(), metadata(columns, partitions, configuration)]
    for number, actions in enumerate(commits or [[]]):
        info = commit_info(timestamp=BEGIN_MS + number * SECOND)
        log.commit(*(head if number == 0 else []), *actions, info)
    return log


# ---- opening


def test_opened_by_url_and_by_catalog_it_is_the_same_table(orders, database_url):
    by_url, by_catalog = DeltaTable(database_url, table_id="orders"), DeltaTable(orders, table_id="orders")
    assert by_url.version() == by_catalog.version() == 11
    assert by_url.file_uris() == by_catalog.file_uris()
    assert repr(by_url) == "DeltaTable('orders', version=11)"


@pytest.mark.parametrize("version", [0, 5, 11])
def test_every_answer_is_that_of_delta_rs_on_every_database(orders, tmp_path, version):
    ours = DeltaTable(orders, table_id="orders", version=version)
    theirs = deltalake.DeltaTable(tmp_path / "orders", version=version)
    for name in ("version", "schema", "protocol", "count"):
        assert getattr(ours, name)() == getattr(theirs, name)(), name
    assert ours.table_uri == theirs.table_uri
    assert sorted(ours.file_uris()) == sorted(theirs.file_uris())
    assert {str(sorted(p.items())) for p in ours.partitions()} == {str(sorted(p.items())) for p in theirs.partitions()}
    assert _rows(ours.get_add_actions()) == _rows(theirs.get_add_actions())
    assert _rows(ours.to_pyarrow_table(), "order_id") == _rows(theirs.to_pyarrow_table(), "order_id")
    assert _rows(ours.scan().read_all(), "order_id") == _rows(theirs.to_pyarrow_table(), "order_id")
    assert ours.transaction_version("loader") == theirs.transaction_version("loader")
    assert (
        ours.to_pandas()
        .sort_values("order_id", ignore_index=True)
        .equals(theirs.to_pandas().sort_values("order_id", ignore_index=True))
    )


def _rows(table, key: str = "path") -> list[dict]:
    return pa.table(table).sort_by(key).to_pylist()


def test_a_listing_is_in_the_order_of_the_log_on_every_database(tmp_path, database_url):
    names = [f"{n}.parquet" for n in (5, 1, 9, 3, 7)]
    log = log_of(tmp_path, [add(name) for name in names], [add("z.parquet"), remove("9.parquet"), add("a.parquet")])
    catalog = connect(database_url)
    with catalog:
        catalog.import_table(str(log.root), table_id="t", batch_size=2)
        table = DeltaTable(catalog, table_id="t")
        expected = ["z.parquet", "a.parquet", "5.parquet", "1.parquet", "3.parquet", "7.parquet"]
        assert table.files()["path"].to_pylist() == expected
        assert deltalake.DeltaTable(log.root).get_add_actions()["path"].to_pylist() == expected


@pytest.mark.parametrize("error", [TableNotFoundError, errors.TableNotFoundError, DeltaError])
def test_an_unknown_table(orders, error):
    with pytest.raises(error, match="nothing"):
        DeltaTable(orders, table_id="nothing")


@pytest.mark.parametrize("error", [DeltaError, errors.VersionNotFoundError])
def test_a_version_beyond_the_newest(orders, error):
    with pytest.raises(error, match="its newest is 11"):
        DeltaTable(orders, table_id="orders", version=12)


@pytest.mark.parametrize("error", [DeltaError, errors.VersionNotFoundError])
def test_a_version_below_the_floor(tmp_path, sqlite_url, error):
    first, _ = cleaned_table(tmp_path / "t")
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
        with pytest.raises(error, match=f"begins with version {first}"):
            DeltaTable(catalog, table_id="t", version=first - 1)
        assert DeltaTable(catalog, table_id="t", version=first).version() == first


def test_versions_of_the_wrong_kind_fail_as_with_delta_rs(orders):
    table = DeltaTable(orders, table_id="orders")
    with pytest.raises(OverflowError):
        DeltaTable(orders, table_id="orders", version=-1)
    with pytest.raises(TypeError):
        DeltaTable(orders, table_id="orders", version="1")
    for wrong in (1.5, None, BEGIN.date()):
        with pytest.raises(TypeError, match="only int, str or datetime"):
            table.load_as_version(wrong)
    with pytest.raises(OverflowError):
        table.load_as_version(-1)
    with pytest.raises(OverflowError):
        table.history(-1)
    with pytest.raises(errors.ArgumentError, match="not at both"):
        DeltaTable(orders, table_id="orders", version=1, timestamp="2020-01-01T00:00:00Z")
    assert table.version() == 11


@pytest.mark.parametrize("error", [DeltaError, errors.ImportIncompleteError])
def test_a_table_whose_import_has_not_completed(tmp_path, sqlite_url, monkeypatch, error):
    from deltalakedb.migrate import importer

    plain_table(tmp_path / "t")
    catalog = connect(sqlite_url)
    monkeypatch.setattr(importer._Import, "_complete", lambda *_: 1 / 0)
    with catalog, pytest.raises(ZeroDivisionError):
        catalog.import_table(str(tmp_path / "t"))
    with pytest.raises(error, match="has not completed"):
        DeltaTable(sqlite_url, table_id="t")


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(errors.DatabaseConnectionError):
        DeltaTable(f"sqlite:///{tmp_path}/no.db", table_id="t")
    assert not (tmp_path / "no.db").exists()


# ---- moving


@pytest.mark.parametrize(
    "text",
    [
        "2020",
        "2020-05-01T00:47:31",
        "2020-05-01 00:47:31",
        "2020-05-01T00:47:31+08",
        "2020-05-01T00:47:31+0000",
        "2020-05-01T00:47Z",
        "2020-05-01T00:47:31Z ",
        "2020-13-01T00:00:00Z",
        "x",
        "",
    ],
)
def test_texts_that_are_no_time(tmp_path, written, text):
    table = written(log_of(tmp_path, [add("a")]))
    with pytest.raises(ValueError, match="Failed to parse datetime string:"):
        table.load_as_version(text)


@pytest.mark.parametrize(
    "text", ["2020-05-01t00:47:31z", "2020-05-01 00:47:31.5+05:30", "2020-05-01T00:47:31.123456789Z"]
)
def test_texts_that_are_a_time(tmp_path, written, text):
    table = written(log_of(tmp_path, [add("a")]))
    table.load_as_version(text)
    assert table.version() == 0


def test_an_opened_table_stays_at_its_version_while_syncs_go_on(tmp_path, sqlite_url):
    plain_table(tmp_path / "t", commits=2)
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
        table = DeltaTable(catalog, table_id="t")
        before = table.file_uris(), table.history(), table.to_pyarrow_table()
        deltalake.DeltaTable(tmp_path / "t").delete("id = 0")
        catalog.sync("t")
        assert table.version() == 1
        assert (table.file_uris(), table.history(), table.to_pyarrow_table()) == before
        table.load_as_version(2)  # the catalog knows it by now
        assert table.to_pyarrow_table()["id"].to_pylist() == [1]
        table.load_as_version(0)
        table.update_incremental()
        assert table.version() == 2


def test_readers_see_whole_versions_while_a_sync_is_at_work(tmp_path, database_url):
    # Each commit replaces the only file: a reader that saw half of one would see no file, or two.
    log = log_of(tmp_path, [add("0")])
    seen, failures = set(), []
    with connect(database_url) as catalog:
        catalog.import_table(str(log.root), table_id="t")
        done = threading.Event()

        def read() -> None:
            try:
                while not done.is_set():
                    table = DeltaTable(database_url, table_id="t")
                    assert table.files()["path"].to_pylist() == [str(table.version())]
                    seen.add(table.version())
            except BaseException as error:
                failures.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        for version in range(1, 25):
            log.commit(add(str(version)), remove(str(version - 1)))
            catalog.sync("t")
        done.set()
        reader.join()
    assert not failures
    assert len(seen) > 1


@pytest.mark.parametrize("again", [False, True])
def test_a_table_that_was_rolled_back_under_an_open_one(tmp_path, sqlite_url, again):
    plain_table(tmp_path / "t")
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
        table = DeltaTable(catalog, table_id="t")
        catalog.rollback("t")
        if again:
            catalog.import_table(str(tmp_path / "t"))
        for ask in (table.files, table.history, table.count, table.scan, table.get_add_actions):
            with pytest.raises((DeltaError), match="imported again" if again else "no table"):
                ask()


# ---- what it says


def test_metadata(tmp_path, written):
    table = written(
        log_of(tmp_path, columns={"id": "long", "p": "string"}, partitions=["p"], configuration={"a.b": "c"})
    )
    found = table.metadata()
    assert found.partition_columns == ["p"]
    assert found.configuration == {"a.b": "c"}
    assert (found.name, found.description, found.created_time) == (None, None, BEGIN_MS)
    assert isinstance(found, deltalake.Metadata)


def test_transactions_expire(tmp_path, written):
    now = int(datetime.now(UTC).timestamp() * 1000)
    actions = [txn("old", 1, lastUpdated=now - 3 * 3_600_000), txn("new", 2, lastUpdated=now), txn("timeless", 3)]
    log = log_of(tmp_path, actions, configuration={"delta.setTransactionRetentionDuration": "interval 2 hours"})
    table, theirs = written(log), deltalake.DeltaTable(log.root)
    for app, version in (("old", None), ("new", 2), ("timeless", 3), ("nobody", None)):
        assert table.transaction_version(app) == theirs.transaction_version(app) == version


def test_domain_metadata(tmp_path, written):
    log = log_of(tmp_path, [domain("a", '{"x":1}'), domain("b")], [domain("b", removed=True), domain("a", "new")])
    assert written(log).domain_metadata() == {"a": "new"}
    assert written(log, version=0).domain_metadata() == {"a": '{"x":1}', "b": "{}"}


def test_tombstones(tmp_path, written):
    log = log_of(
        tmp_path,
        [add("a"), add("b"), remove("before", size=7)],
        [remove("a", deletionTimestamp=5), remove("b")],
        [add("b")],
        [remove("b", deletionTimestamp=9)],
    )
    newest = written(log).tombstones().to_pylist()
    assert [(row["path"], row["removed_version"], row["added_version"]) for row in newest] == [
        ("b", 3, 2),
        ("a", 1, 0),
        ("before", 0, None),
    ]
    assert newest[0]["deletion_timestamp"] == 9
    assert newest[2]["size"] == 7
    assert written(log, version=2).tombstones()["path"].to_pylist() == ["a", "before"]
    assert written(log, version=0).tombstones()["path"].to_pylist() == ["before"]


def test_count_without_statistics(tmp_path, written):
    log = log_of(
        tmp_path, [add("a"), add("b", stats=None), add("c", stats="no JSON"), add("d", stats='{"numRecords":5}')]
    )
    assert written(log).count() == 6


def test_files(tmp_path, written):
    vector = {"storageType": "i", "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"}
    vector |= {"sizeInBytes": 40, "cardinality": 6}
    log = log_of(
        tmp_path,
        [add("p=1/a%20b", partitionValues={"p": "1"}, size=3)],
        [add("c", partitionValues={"p": None}, deletionVector=vector, stats=None)],
        columns={"id": "long", "p": "integer"},
        partitions=["p"],
    )
    table = written(log).files()
    assert table.to_pylist() == [
        {
            "path": "c",
            "size": 100,
            "partition_values": {"p": None},
            "num_records": None,
            "added_version": 1,
            "deletion_vector": {**vector, "offset": None},
        },
        {
            "path": "p=1/a%20b",
            "size": 3,
            "partition_values": {"p": "1"},
            "num_records": 1,
            "added_version": 0,
            "deletion_vector": None,
        },
    ]


def test_files_of_a_table_without_partitions(tmp_path, written):
    table = written(log_of(tmp_path, [add("x")])).files()
    assert table["partition_values"].to_pylist() == [{}]


def test_an_empty_table(tmp_path, written):
    table = written(log_of(tmp_path, columns={"id": "long", "p": "string"}, partitions=["p"]))
    theirs = deltalake.DeltaTable(tmp_path / "t")
    assert table.files().num_rows == 0
    assert table.file_uris() == table.partitions() == []
    assert pa.table(table.get_add_actions()) == pa.table(theirs.get_add_actions())
    assert pa.table(table.get_add_actions(flatten=True)) == pa.table(theirs.get_add_actions(flatten=True))
    assert table.scan().read_all().num_rows == table.to_pyarrow_table().num_rows == table.count() == 0


def test_history_with_nothing_noted(tmp_path, written):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), commit_info(isBlindAppend=None))
    log.commit(add("a"))
    log.commit(add("b"), commit_info("MERGE"))
    history = written(log).history()
    assert [(row["version"], row["operation"]) for row in history] == [(2, "MERGE"), (0, "WRITE")]
    assert "isBlindAppend" not in history[1]
    assert [row["version"] for row in written(log).history(1)] == [2]
    assert [row["version"] for row in written(log).history(2)] == [2, 0]


def test_errors_survive_pickling(orders):
    with pytest.raises(DeltaError) as caught:
        DeltaTable(orders, table_id="nothing")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is type(caught.value)
    assert str(copy) == str(caught.value)


def test_a_path_in_the_place_of_a_catalog_is_told_to_be_no_url(tmp_path):
    for opened in (lambda path: DeltaTable(path, table_id="t"), connect):
        with pytest.raises(errors.ArgumentError, match="database URL can't be"):
            opened(tmp_path / "orders")
