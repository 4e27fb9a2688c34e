"""Every public name of `deltalake.DeltaTable` is there: it answers, or says why it does not."""

import copy
import inspect
import pickle
import warnings

import deltalake
import pytest
from deltalake.exceptions import DeltaError

from deltalakedb import errors
from deltalakedb.client import connect
from deltalakedb.table.delta_table import DeltaTable
from deltalakedb.table.read_only import ReadOnly
from tests.support.lake import plain_table

NAMES = [name for name in dir(deltalake.DeltaTable) if not name.startswith("_")]
REFUSED = [name for name in vars(ReadOnly) if not name.startswith("_")]
PROPERTIES = {"alter", "optimize"}
ANSWERED = [name for name in NAMES if name not in REFUSED]


@pytest.fixture
def catalog(tmp_path, sqlite_url):
    """A catalog with the table `t`, of two versions."""
    plain_table(tmp_path / "t", commits=2)
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
        yield catalog


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_answered_takes_the_arguments_of_delta_rs(name):
    theirs, ours = getattr(deltalake.DeltaTable, name), getattr(DeltaTable, name)
    assert isinstance(ours, property) == isinstance(theirs, property)
    if isinstance(theirs, property):
        return
    expected, found = inspect.signature(theirs).parameters, inspect.signature(ours).parameters
    assert set(expected) <= set(found)
    if name == "scan":  # whose first argument is `where` here; see the test of its two orders
        return
    assert [(p.name, p.kind, p.default) for p in expected.values()] == [
        (p.name, p.kind, p.default) for p in found.values()
    ]


def test_only_what_writes_and_the_change_feed_are_refused():
    assert set(REFUSED) <= set(NAMES)
    assert set(ANSWERED) <= set(dir(DeltaTable))


@pytest.mark.parametrize("error", [DeltaError, errors.DeltaLakeDBError, NotImplementedError])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_so_and_where_to_go(catalog, tmp_path, name, error):
    table = catalog.table("t")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "t").rglob("*")}
    with pytest.raises(error, match=f"`{name}`") as caught:
        getattr(table, name) if name in PROPERTIES else getattr(table, name)("anything", at_all=1)
    assert table.table_uri in caught.value.hint
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "t").rglob("*")} == before


def test_a_class_method_is_refused_without_a_table():
    with pytest.raises(DeltaError, match="`create` writes"):
        DeltaTable.create("/somewhere", schema=None)
    assert inspect.isdatadescriptor(DeltaTable.optimize) is False  # asking the class itself raises nothing


def test_writers_of_delta_rs_do_not_take_it_for_a_table_of_their_own(catalog):
    with pytest.raises(ValueError, match="must be a str, Path or DeltaTable"):
        deltalake.write_deltalake(catalog.table("t"), {"id": [1]}, mode="append")


def test_query_builder_reads_it(catalog):
    table = catalog.table("t", version=0)
    builder = deltalake.QueryBuilder().register("t", table)
    table.update_incremental()
    builder.register("now", table)
    query = "SELECT (SELECT count(*) FROM t) AS before, (SELECT count(*) FROM now) AS after"
    found = builder.execute(query).read_all()
    assert (found["before"].to_pylist(), found["after"].to_pylist()) == ([1], [2])


def test_datafusion_gets_what_delta_rs_gives_it(catalog, tmp_path):
    def outcome(table):
        try:
            return type(table.__datafusion_table_provider__())
        except RuntimeError as error:  # without the package, or with another version of it
            return str(error)

    assert outcome(catalog.table("t")) == outcome(deltalake.DeltaTable(tmp_path / "t"))


def test_options_that_delta_rs_ignores_are_ignored_with_its_warnings(catalog, tmp_path):
    for option in ({"without_files": True}, {"log_buffer_size": 3}, {"skip_stats": True}):
        with pytest.warns(DeprecationWarning, match=next(iter(option))) as caught:
            table = DeltaTable(catalog, table_id="t", **option)
        assert caught[0].filename == __file__
        assert table.file_uris() == catalog.table("t").file_uris()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DeltaTable(catalog, table_id="t", without_files=False, log_buffer_size=None)
    with pytest.warns(DeprecationWarning, match="deprecated"):
        assert catalog.table("t").table_config == deltalake.DeltaTable(tmp_path / "t").table_config


def test_is_deltatable(tmp_path):
    plain_table(tmp_path / "t")
    assert DeltaTable.is_deltatable(tmp_path / "t")
    assert DeltaTable.is_deltatable(str(tmp_path / "t"), storage_options={"AWS_ALLOW_HTTP": "true"})
    assert not DeltaTable.is_deltatable(tmp_path / "nothing")


def test_tables_are_equal_that_are_one_table_at_one_version(catalog, sqlite_url):
    table = catalog.table("t")
    assert table == DeltaTable(sqlite_url, table_id="t", version=1)
    assert table != catalog.table("t", version=0)
    assert table != "t"
    with pytest.raises(TypeError, match="unhashable"):
        hash(table)


@pytest.mark.usefixtures("catalog")
def test_a_copy_goes_its_own_way(sqlite_url):
    table = copy.copy(DeltaTable(sqlite_url, table_id="t"))  # the original is gone, its database is not
    other = copy.copy(table)
    other.load_as_version(0)
    assert (table.count(), other.count()) == (2, 1)


def test_a_table_is_not_pickled_with_the_password_of_its_database(catalog):
    with pytest.raises(TypeError, match="cannot pickle DeltaTable"):
        pickle.dumps(catalog.table("t"))


def test_slips_are_told_apart_from_tables_that_are_not_there(catalog):
    with pytest.raises(errors.ArgumentError, match="the id is missing") as caught:
        DeltaTable("/lake/orders")
    assert "table_id='orders'" in caught.value.hint
    with pytest.raises(TypeError, match=r"list of names, not a text: \['id'\]"):
        catalog.table("t").scan(columns="id")
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        catalog.table("t").history("newest")
