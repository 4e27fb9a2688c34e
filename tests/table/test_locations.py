"""Paths of the log → files: decoded once, never outside of the table's folder, wherever that is."""

import shutil
from urllib.parse import quote

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import DeltaError

from deltalakedb.client import connect
from deltalakedb.errors import CorruptLogError
from deltalakedb.table.delta_table import DeltaTable
from deltalakedb.table.locations import Root, url_of
from tests.support.logs import LogBuilder, add, metadata, protocol

LOCAL = Root("/lake/the table", is_local=True)
REMOTE = Root("s3://bucket/the table", is_local=False)

FILES = [
    ("a.parquet", "/lake/the table/a.parquet"),
    ("p=1/a%20b", "/lake/the table/p=1/a b"),
    ("a b", "/lake/the table/a b"),
    ("a%2520b", "/lake/the table/a%20b"),
    ("100%", "/lake/the table/100%"),
    ("é😀", "/lake/the table/é😀"),
    ("a:b", "/lake/the table/a:b"),
    ("a#b?c", "/lake/the table/a#b?c"),
    ("a//b", "/lake/the table/a/b"),
    ("./a", "/lake/the table/a"),
    ("p/../a", "/lake/the table/a"),
    ("/other/a%20b", "/other/a b"),
    ("file:/other/a%20b", "/other/a b"),
    ("file:///other/a", "/other/a"),
    ("file://localhost/other/a", "/other/a"),
    ("s3://other/a%20b", "s3://other/a b"),
]


@pytest.mark.parametrize(("path", "file"), FILES)
def test_a_path_is_decoded_once(path, file):
    assert LOCAL.file(path) == file
    assert LOCAL.files(pa.array(["plain", path])).to_pylist() == ["/lake/the table/plain", file]


@pytest.mark.parametrize(
    ("path", "file"), [("a%20b", "s3://bucket/the table/a b"), ("/top/a", "s3://bucket/top/a"), ("file:/x", "/x")]
)
def test_below_a_bucket(path, file):
    assert REMOTE.file(path) == file


@pytest.mark.parametrize(
    "path",
    ["../a", "..", "p/../../a", "%2e%2e/a", "..%2fa", "p/%2E%2E/%2e%2e/a", "%2Fetc/passwd", ".", "", "./.."],
)
@pytest.mark.parametrize("root", [LOCAL, REMOTE], ids=["local", "remote"])
def test_a_relative_path_does_not_leave_the_folder(root, path):
    for error in (CorruptLogError, DeltaError):
        with pytest.raises(error, match="leads out of the table's folder"):
            root.file(path)
    with pytest.raises(CorruptLogError):
        root.files(pa.array(["plain", path]))


@pytest.mark.parametrize(
    ("file", "url"),
    [("/a b/c%d", "file:///a%20b/c%25d"), ("s3://b/k y#?", "s3://b/k%20y%23%3F"), ("/é", "file:///%C3%A9")],
)
def test_urls_are_encoded(file, url):
    assert url_of(file) == url


NAMES = ["a b", "a%b", "a%20b", "a+b", "a#b?c", "a:b", "é😀", "a=b&c", "a'b\"c", "[a]{b}", "a;b,c", "a\\b", "a|b^c`d"]


@pytest.fixture(scope="module", params=NAMES)
def odd(request, tmp_path_factory):
    """A table whose folder and whose file have odd names; `(its folder, its catalog)`."""
    root = tmp_path_factory.mktemp("odd") / request.param
    log = LogBuilder(root)
    pq.write_table(pa.table({"id": [1]}), root / f"{request.param}.parquet")
    size = (root / f"{request.param}.parquet").stat().st_size
    log.commit(protocol(), metadata(), add(quote(f"{request.param}.parquet"), size=size))
    url = f"sqlite:///{tmp_path_factory.mktemp('catalog')}/catalog.db"
    with connect(url) as catalog:
        catalog.import_table(str(root), table_id="t")
        yield root, catalog


def test_odd_names_are_those_of_delta_rs(odd):
    root, catalog = odd
    ours = DeltaTable(catalog, table_id="t")
    assert ours.file_uris() == [str(root / f"{root.name}.parquet")]  # delta-rs gives the folder encoded
    if root.name in ("a%20b", "a\\b"):
        pytest.skip("delta-rs does not find the folder")
    theirs = deltalake.DeltaTable(root)
    assert ours.table_uri == theirs.table_uri
    assert ours.get_add_actions()["path"].to_pylist() == theirs.get_add_actions()["path"].to_pylist()


def test_files_with_odd_names_are_read(odd):
    table = DeltaTable(odd[1], table_id="t")
    assert table.scan().read_all().to_pylist() == [{"id": 1}]
    assert table.to_pyarrow_table().to_pylist() == [{"id": 1}]
    assert table.to_polars().collect().to_dicts() == [{"id": 1}]


def test_a_folder_behind_a_link_is_that_behind_it(tmp_path, sqlite_url):
    deltalake.write_deltalake(tmp_path / "real", pa.table({"id": [1]}))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "link"), table_id="t")
    ours, theirs = DeltaTable(sqlite_url, table_id="t"), deltalake.DeltaTable(tmp_path / "link")
    assert ours.table_uri == theirs.table_uri
    assert ours.file_uris() == theirs.file_uris()


@pytest.mark.parametrize("path", ["../secret.parquet", "%2e%2e/secret.parquet"])
def test_rows_outside_of_the_folder_are_not_read(tmp_path, sqlite_url, path):
    pq.write_table(pa.table({"id": [42]}), tmp_path / "secret.parquet")
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add(path, size=(tmp_path / "secret.parquet").stat().st_size))
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(log.root), table_id="t")
    table = DeltaTable(sqlite_url, table_id="t")
    for read in (table.file_uris, table.scan, table.to_pyarrow_table, table.to_pandas, table.to_pyarrow_dataset):
        with pytest.raises(CorruptLogError, match="leads out"):
            read()
    with pytest.raises(CorruptLogError, match="leads out"):
        table.to_polars().collect()
    assert table.files()["path"].to_pylist() == [path]  # what the log says can be looked at


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_absolute_paths_are_read_where_they_are(tmp_path, sqlite_url, form):
    elsewhere = tmp_path / "else where"
    deltalake.write_deltalake(elsewhere, pa.table({"id": [1, 2]}))
    (source,) = map(str, elsewhere.glob("*.parquet"))
    log = LogBuilder(tmp_path / "clone")
    pq.write_table(pa.table({"id": [3]}), tmp_path / "clone" / "own.parquet")
    own = (tmp_path / "clone" / "own.parquet").stat().st_size
    size = (elsewhere / source).stat().st_size
    log.commit(protocol(), metadata(), add(form.format(quote(source)), size=size), add("own.parquet", size=own))
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(log.root), table_id="t")
    table = DeltaTable(sqlite_url, table_id="t")
    assert table.file_uris() == [source, f"{tmp_path}/clone/own.parquet"]
    for rows in (table.scan().read_all(), table.to_pyarrow_table(), table.to_polars().collect().to_arrow()):
        assert sorted(rows["id"].to_pylist()) == [1, 2, 3]
    shutil.rmtree(elsewhere)
    with pytest.raises(DeltaError, match="Rows can't be read"):
        table.scan().read_all()
