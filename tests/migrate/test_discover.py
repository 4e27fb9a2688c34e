import os
from pathlib import Path

import pytest

from deltalakedb.errors import LocationNotFoundError
from deltalakedb.migrate.discover import Unlisted, discover
from tests.support.lake import plain_table
from tests.support.logs import LogBuilder, add, metadata, protocol
from tests.support.object_stores import s3_error


def small(root: Path, *, version: int = 0) -> Path:
    LogBuilder(root, version=version).commit(protocol(), metadata(), add("a.parquet"))
    return root


def locations(path: Path, **options: bool) -> list[str]:
    return [os.path.relpath(table.location, path) for table in discover(str(path), **options)]


def test_finds_the_table_at_the_path_itself(tmp_path):
    plain_table(tmp_path / "orders", commits=3)
    (table,) = discover(str(tmp_path / "orders"))
    assert (table.table_id, table.location) == ("orders", str(tmp_path / "orders"))
    assert (table.first_version, table.version, table.problem) == (0, 2, None)


def test_looks_one_level_deep_unless_told_otherwise(tmp_path):
    small(tmp_path / "b")
    small(tmp_path / "a")
    small(tmp_path / "deep" / "er" / "c")
    assert locations(tmp_path) == ["a", "b"]
    assert locations(tmp_path, recursive=True) == ["a", "b", "deep/er/c"]


def test_looks_for_nothing_inside_a_table(tmp_path):
    small(tmp_path / "outer")
    small(tmp_path / "outer" / "p=1" / "inner")
    assert locations(tmp_path, recursive=True) == ["outer"]


def test_an_empty_log_is_no_table_but_tables_may_be_below_it(tmp_path):
    (tmp_path / "empty" / "_delta_log").mkdir(parents=True)
    (tmp_path / "empty" / "_delta_log" / "00000000000000000000.crc").write_text("{}")
    small(tmp_path / "empty" / "inner")
    assert locations(tmp_path, recursive=True) == ["empty/inner"]


def test_a_log_that_cannot_be_rebuilt_is_listed_with_its_problem(tmp_path):
    log = LogBuilder(tmp_path / "gap")
    for number in range(3):
        log.commit(protocol(), metadata(), add(f"{number}.parquet"))
    log.drop([1])
    (table,) = discover(str(tmp_path))
    assert (table.version, table.first_version) == (None, None)
    assert "00000000000000000001.json" in (table.problem or "")


def test_history_that_begins_with_a_checkpoint_shows_its_floor(tmp_path):
    log = LogBuilder(tmp_path / "t")
    for number in range(4):
        log.commit(protocol(), metadata(), add(f"{number}.parquet"))
    log.checkpoint(2)
    log.drop([0, 1])
    (table,) = discover(str(tmp_path))
    assert (table.first_version, table.version) == (2, 3)


def test_links_that_lead_back_up_are_followed_once(tmp_path):
    small(tmp_path / "lake" / "orders")
    (tmp_path / "lake" / "again").symlink_to(tmp_path / "lake", target_is_directory=True)
    (tmp_path / "lake" / "self").symlink_to("self")
    assert locations(tmp_path / "lake", recursive=True) == ["orders"]


def test_a_prefix_that_the_store_refuses_is_named_and_the_others_are_found(bucket, s3_proxy, tmp_path):
    small(tmp_path / "t")
    for key in ("lake/open/orders", "lake/closed/orders"):
        bucket.upload(tmp_path / "t", key)
    refusal = s3_error(403, "AccessDenied")
    s3_proxy.refuse = lambda _method, path: refusal if "prefix=lake%2Fclosed" in path else None
    unlisted: list[Unlisted] = []
    found = discover(
        f"{bucket.uri}/lake",
        recursive=True,
        storage_options=bucket.through(s3_proxy.url),
        on_unlisted=unlisted.append,
    )
    assert [table.location for table in found] == [f"{bucket.uri}/lake/open/orders"]
    assert [(place.location, place.error.split(":")[0]) for place in unlisted] == [
        (f"{bucket.uri}/lake/closed", "Permission denied")
    ]


def test_a_path_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(LocationNotFoundError, match="nowhere"):
        list(discover(str(tmp_path / "nowhere")))
