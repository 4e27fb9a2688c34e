"""Commands on tables in an object store."""

import json
from pathlib import Path

import deltalake
import duckdb
import pyarrow as pa
import pytest

from deltalakedb.cli.arguments import Arguments
from deltalakedb.cli.secrets import secrets_of
from deltalakedb.client import connect
from tests.cli.conftest import Cli
from tests.support import lake
from tests.support.logs import LogBuilder, add, commit_info, metadata, protocol
from tests.support.object_stores import SECRET, Bucket, Proxy, s3_error


def storage(options: dict[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("--storage-option", f"{name}={value}")]


@pytest.fixture
def far(bucket: Bucket, tmp_path: Path) -> str:
    """A table of delta-rs in a bucket."""
    return uploaded(bucket, tmp_path)


def uploaded(bucket: Bucket, folder: Path) -> str:
    lake.plain_table(folder / "source")
    return bucket.upload(folder / "source", "lake/my orders")


def test_every_command_that_takes_a_path_takes_one_in_each_cloud(cli: Cli, each_bucket: Bucket, tmp_path: Path):
    bucket, far = each_bucket, uploaded(each_bucket, tmp_path)
    options = storage(bucket.options)
    found = cli("discover", f"{bucket.uri}/lake", "--output", "json", *options).document
    assert [(table["table_id"], table["location"]) for table in found] == [("my orders", far)]
    assert cli("import", far, "--dry-run", *options).code == 0
    report = cli("import", f"{bucket.uri}/lake/my orders/", "--output", "json", *options).document
    assert (report["table_id"], report["location"]) == ("my orders", far)
    assert cli("validate", far, "--table-id", "my orders", "--all-versions", *options).code == 0
    assert cli("validate", far, *options).code == 0
    assert cli("performance-compare", far, "--repeat", "1", *options).code == 0
    assert cli("sync", "--all", *options).code == 0
    batch = cli("batch-import", bucket.uri, "--output", "json", *options).document
    assert (batch["skipped"], batch["failed"]) == (1, 0)
    assert cli("verify-rollback", "my orders", *options).code == 0
    assert cli("rollback", "my orders", "--yes", *options).code == 0
    parallel = cli("batch-import", f"{bucket.uri}/lake", "--parallel", "2", "--output", "json", *options).document
    assert parallel["completed"] == 1
    assert bucket.secret.encode() not in Path("deltalakedb.db").read_bytes()


def test_a_table_in_each_cloud_is_synced_and_read(cli: Cli, each_bucket: Bucket, tmp_path: Path):
    location = uploaded(each_bucket, tmp_path)
    assert cli("import", location, "--table-id", "t", *storage(each_bucket.options)).code == 0
    deltalake.write_deltalake(tmp_path / "source", pa.table({"id": [99]}), mode="append")
    each_bucket.upload(tmp_path / "source", "lake/my orders")
    assert cli("sync", "t", *storage(each_bucket.options)).code == 0
    here = sorted(deltalake.DeltaTable(tmp_path / "source").to_pyarrow_table().to_pylist(), key=str)
    with connect("sqlite:///deltalakedb.db", storage_options=each_bucket.options) as catalog:
        table = catalog.table("t")
        assert sorted(table.scan().read_all().to_pylist(), key=str) == here
        assert sorted(table.to_polars().collect().to_dicts(), key=str) == here
        assert sorted(table.to_pyarrow_table().to_pylist(), key=str) == here
        with duckdb.connect() as connection:
            rows = table.to_duckdb(connection, "t").to_arrow_table().to_pylist()
        assert sorted(rows, key=str) == here
        assert table.scan(where="id = 99").read_all().num_rows == 1


def test_batch_import_takes_locations_from_a_list(cli: Cli, bucket: Bucket, far: str, tmp_path: Path):
    lake.plain_table(tmp_path / "second")
    bucket.upload(tmp_path / "second", "lake/deep/second")
    (tmp_path / "list").write_text(f"{far}\ndeep/second\n")
    words = ("batch-import", f"{bucket.uri}/lake", "--from-file", "list", "--parallel", "2", "--output", "json")
    batch = cli(*words, *storage(bucket.options)).document
    assert sorted(table["table_id"] for table in batch["tables"]) == ["my orders", "second"]
    assert batch["completed"] == 2


def test_secrets_of_a_store_appear_nowhere(cli: Cli, bucket: Bucket, far: str, tmp_path: Path):
    options = storage(bucket.options)
    said = ""
    for words in (
        ["import", far, "-v", *options],
        ["import", far, "-v", *options],
        ["validate", far, "-v", *options],
        ["sync", "--all", *options],
        ["import", f"{bucket.uri}/none", *options],
        ["import", far, "--storage-option", f"aws_secret_acess_key={SECRET}", *options],
        ["import", far, "--storage-option", SECRET],
        ["rollback", "my orders", "--yes", *options],
    ):
        result = cli(*words)
        said += result.out + result.err
    assert "Error: " in said
    assert SECRET not in said
    assert SECRET.encode() not in (tmp_path / "deltalakedb.db").read_bytes()


def test_keys_are_masked_wherever_they_come_from(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fromenv")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "azurekey==")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    words = ("import", "x", "--storage-option", "aws_session_token=abc/def", "--storage-option=sas_token=sv=1")
    given = Arguments(words)
    scrub = secrets_of(given).scrub
    assert scrub("fromenv azurekey== abc/def abc%2Fdef sv=1") == "*** *** *** *** ***"
    assert scrub("eu-central-1") == "eu-central-1"


@pytest.mark.parametrize("wrong", ["aws_region", "=x", ""])
def test_an_option_that_is_none_is_wrong_usage(cli: Cli, wrong: str):
    result = cli("discover", "s3://lake", "--storage-option", wrong)
    assert result.code == 2
    assert "KEY=VALUE" in result.err


def test_no_permission_is_one_line_and_leaves_nothing(cli: Cli, bucket: Bucket, s3_proxy: Proxy, far: str):
    s3_proxy.refuse = lambda _method, _path: s3_error(403, "AccessDenied")
    result = cli("import", far, *storage(bucket.through(s3_proxy.url)))
    assert result.code == 1
    assert result.error_lines[0].startswith(f"Error: Permission denied: {far}")
    assert len(result.error_lines) == 2
    assert not Path("deltalakedb.db").exists()


# ---- how many requests


def many_commits(folder: Path, count: int) -> Path:
    """Writes a log of so many commits, with the checksum beside each that delta-rs and Spark write by now."""
    log = LogBuilder(folder)
    log.commit(commit_info(), protocol(), metadata())
    for number in range(1, count):
        log.commit(commit_info(), add(f"{number}.parquet"))
        Path(folder, "_delta_log", f"{number:020}.crc").write_text(json.dumps({"numFiles": number}))
    return folder


def test_a_sync_with_nothing_new_takes_three_requests(cli: Cli, bucket: Bucket, s3_proxy: Proxy, tmp_path: Path):
    location = bucket.upload(many_commits(tmp_path / "t", 510), "t")
    bucket.put_all({f"t/_delta_log/_sidecars/{number:04}.parquet": b"" for number in range(1000)})
    options = storage(bucket.through(s3_proxy.url))
    assert cli("import", location, *options).code == 0
    s3_proxy.requests.clear()
    result = cli("sync", "t", "--output", "json", *options)
    assert result.code == 0
    assert len(s3_proxy.requests) <= 3, s3_proxy.requests
    many_commits(tmp_path / "more", 513)
    for number in range(510, 513):
        name = f"_delta_log/{number:020}.json"
        bucket.put(f"t/{name}", (tmp_path / "more" / name).read_bytes())
    s3_proxy.requests.clear()
    assert cli("sync", "t", "--output", "json", *options).document["tables"][0]["version"] == 512
    assert len(s3_proxy.requests) <= 6, s3_proxy.requests


def test_an_import_asks_for_each_commit_once_and_for_many_at_a_time(
    cli: Cli, bucket: Bucket, s3_proxy: Proxy, tmp_path: Path
):
    location = bucket.upload(many_commits(tmp_path / "t", 300), "t")
    s3_proxy.latency = 0.05
    assert cli("import", location, *storage(bucket.through(s3_proxy.url))).code == 0
    commits = [line for line in s3_proxy.requests if line.endswith(".json")]
    assert len(set(commits)) == 300
    assert len(commits) <= 302  # the first is looked into before the import begins
    assert len(s3_proxy.requests) <= 310
    assert s3_proxy.at_once > 20


def test_discover_names_no_data_file(cli: Cli, bucket: Bucket, s3_proxy: Proxy, tmp_path: Path):
    bucket.upload(many_commits(tmp_path / "t", 3), "lake/t")
    bucket.put_all({f"lake/t/{number}.parquet": b"" for number in range(50)})
    bucket.put_all({f"lake/plain/{number}/x.csv": b"" for number in range(50)})
    seen: list[str] = []
    options = storage(bucket.through(s3_proxy.url))
    s3_proxy.bodies = seen
    result = cli("discover", f"{bucket.uri}/lake", "--output", "json", *options)
    assert [table["table_id"] for table in result.document] == ["t"]
    assert all("delimiter=%2F" in line for line in s3_proxy.listings())
    assert seen
    assert not any(".parquet" in body or ".csv" in body for body in seen)
