"""S3, over HTTP: how many requests it takes, options, and what is said where something is wrong."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from deltalakedb.errors import ArgumentError, LocationNotFoundError, PermissionDeniedError, StorageError
from deltalakedb.log.remote import read_ahead
from deltalakedb.log.remote import store as remote
from deltalakedb.log.store import Store, open_store
from tests.support.object_stores import SECRET, Bucket, Proxy, s3_error

QUICK = {"max_retries": "2", "backoff_config.init_backoff": "1ms", "backoff_config.max_backoff": "2ms"}


@pytest.fixture
def far(bucket: Bucket, s3_proxy: Proxy) -> Store:
    """The folder `t` of a bucket, through the proxy, with few retries."""
    return open_store(f"{bucket.uri}/t", bucket.through(s3_proxy.url) | QUICK)


def names(store: Store, *args: str, **options: str) -> list[str]:
    return [file.name for file in store.list(*args, **options).files]


def test_a_folder_is_listed_with_one_request_however_much_is_below_it(bucket: Bucket, far: Store, s3_proxy: Proxy):
    for number in range(30):
        bucket.put(f"t/data/part={number}/file", b"")
    assert far.list().folders == ["data"]
    assert len(s3_proxy.requests) == 1


def test_a_listing_that_begins_late_asks_only_for_what_comes_then(bucket: Bucket, far: Store, s3_proxy: Proxy):
    bucket.put_all({f"t/{number:05}": b"" for number in range(1200)})
    bucket.put_all({f"t/_side/{number:05}": b"" for number in range(2200)})
    assert names(far, after="01190", before=":") == [f"{number:05}" for number in range(1191, 1200)]
    assert len(s3_proxy.listings()) == len(s3_proxy.requests) <= 2  # of the four pages that there are
    assert "start-after=t%2F01190" in s3_proxy.requests[0]
    assert len(far.list().files) == 1200


def test_a_file_comes_in_chunks_that_join_to_it(bucket: Bucket, far: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote, "CHUNK_BYTES", 100_000)
    content = bytes(range(256)) * 4000
    bucket.put("t/file", content)
    bucket.put("t/empty", b"")
    chunks = list(far.chunks("file"))
    assert len(chunks) > 1
    assert b"".join(chunks) == far.get("file") == content
    assert (list(far.chunks("empty")), far.get("empty")) == ([], b"")
    with far.open("file") as stream:
        stream.seek(-10, 2)
        assert stream.read() == content[-10:]
        stream.seek(5)
        assert stream.read(300_000) == content[5:300_005]
    with far.open("empty") as stream:
        assert stream.read() == b""


def test_a_large_file_is_read_where_a_reader_looks(
    bucket: Bucket, far: Store, s3_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(remote, "CHUNK_BYTES", 80)
    bucket.put("t/file", bytes(100_000))
    with far.open("file") as stream:
        stream.seek(90_000)
        stream.read(10)
    assert len(s3_proxy.requests) == 2  # its size, and one range


def test_expected_files_are_fetched_at_once_and_each_only_once(bucket: Bucket, far: Store, s3_proxy: Proxy):
    paths = [f"{number:03}" for number in range(200)]
    bucket.put_all({f"t/{path}": path.encode() * 100 for path in paths})
    s3_proxy.latency = 0.02
    far.expect((path, 300) for path in paths)
    assert [b"".join(far.chunks(path)) for path in paths] == [path.encode() * 100 for path in paths]
    assert sorted(s3_proxy.requests) == sorted(set(s3_proxy.requests))
    assert len(s3_proxy.requests) == 200
    assert 10 <= s3_proxy.at_once <= read_ahead.REQUESTS


def test_what_is_read_otherwise_than_expected_is_read_all_the_same(bucket: Bucket, far: Store):
    for name in "abcde":
        bucket.put(f"t/{name}", name.encode())
    far.expect([("a", 1), ("b", 1), ("b", 1), ("gone", 1), ("d", 1)])
    assert [far.get(name) for name in "edcba"] == [b"e", b"d", b"c", b"b", b"a"]
    assert [far.get(name) for name in "ab"] == [b"a", b"b"]
    with far.open("d") as stream:
        assert stream.read() == b"d"
    far.expect([("c", 1)])
    assert far.get("c") == b"c"
    with pytest.raises(LocationNotFoundError):
        far.get("gone")


def test_what_is_fetched_ahead_has_bounds():
    begun = []
    ahead = read_ahead.ReadAhead([(str(n), read_ahead.BYTES // 4) for n in range(20)], begun.append)
    assert len(begun) == 4
    ahead.take("0")
    assert begun[4:] == ["4"]
    begun.clear()
    read_ahead.ReadAhead([(str(n), 0) for n in range(1000)], begun.append)
    assert len(begun) == read_ahead.REQUESTS


# ---- which location


@pytest.mark.parametrize(
    ("given", "location"),
    [
        ("s3://lake/a", "s3://lake/a"),
        ("s3a://lake/a//", "s3://lake/a"),
        ("S3://lake", "s3://lake"),
        ("s3://lake/a b/c%20d", "s3://lake/a%20b/c%20d"),
        ("s3://lake/100%25/ä=1", "s3://lake/100%25/%C3%A4=1"),
        ("gs://lake/a/", "gs://lake/a"),
        ("abfs://c@me.dfs.core.windows.net/a", "abfss://c@me.dfs.core.windows.net/a"),
        ("adl://c/a", "az://c/a"),
        ("azure://c/a", "az://c/a"),
        ("az://c/a", "az://c/a"),
    ],
)
def test_a_location_has_one_spelling(given: str, location: str):
    options = {"azure_storage_account_name": "me", "azure_storage_account_key": "a2V5", "aws_skip_signature": "true"}
    store = open_store(given, options | {"google_skip_signature": "true"})
    assert store.location == location
    assert open_store(location, options | {"google_skip_signature": "true"}).location == location


@pytest.mark.parametrize("location", ["s3://", "s3:///a", "s3://lake/a//b", "s3://lake/../x", "s3://lake/%2e%2e/x"])
def test_what_is_no_location_is_refused(location: str):
    with pytest.raises(ArgumentError, match="Not a location"):
        open_store(location)


def test_other_schemes_are_refused():
    with pytest.raises(ArgumentError, match="hdfs") as raised:
        open_store("hdfs://lake/a")
    assert "s3://" in raised.value.hint


# ---- options


def test_options_of_writers_and_of_other_clouds_do_not_matter(bucket: Bucket):
    bucket.put("t/a", b"a")
    more = {
        "AWS_S3_ALLOW_UNSAFE_RENAME": "true",
        "AWS_S3_LOCKING_PROVIDER": "dynamodb",
        "DELTA_DYNAMO_TABLE_NAME": "lock",
        "conditional_put": "etag",
        "AZURE_STORAGE_ACCOUNT_KEY": "x",
        "google_service_account": "x",
        "timeout": "20s",
        "AWS_ALLOW_HTTP": "true",
    }
    options = {name: value for name, value in bucket.options.items() if name != "allow_http"}
    assert open_store(f"{bucket.uri}/t", options | more).get("a") == b"a"


@pytest.mark.parametrize(
    "option", [{"aws_secret_acess_key": SECRET}, {"timeout": SECRET}, {"max_retries": SECRET}, {"retry_timeout": "?"}]
)
def test_a_wrong_option_is_said_without_its_value(bucket: Bucket, option: dict[str, str]):
    with pytest.raises(ArgumentError, match="storage options") as raised:
        open_store(bucket.uri, bucket.options | option)
    assert raised.value.hint
    assert "\n" not in raised.value.message
    assert bucket.options["aws_secret_access_key"] not in raised.value.message


def test_credentials_come_from_the_environment(bucket: Bucket, monkeypatch: pytest.MonkeyPatch):
    bucket.put("t/a", b"a")
    for name, value in bucket.options.items():
        monkeypatch.setenv("AWS_ALLOW_HTTP" if name == "allow_http" else name.upper(), value)
    assert open_store(f"{bucket.uri}/t").get("a") == b"a"


def test_credentials_come_from_a_profile(
    bucket: Bucket, s3_proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bucket.put("t/a", b"a")
    (tmp_path / "credentials").write_text("[lake]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = x\n")
    (tmp_path / "config").write_text("[profile lake]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    options = {"aws_endpoint_url": s3_proxy.url, "allow_http": "true"}
    seen: list[str] = []
    s3_proxy.authorizations = seen
    assert open_store(f"{bucket.uri}/t", options | {"aws_profile": "lake"}).get("a") == b"a"
    monkeypatch.setenv("AWS_PROFILE", "lake")
    assert open_store(f"{bucket.uri}/t", options).get("a") == b"a"
    assert len(seen) == 2
    assert all("AKIDPROFILE" in one and "eu-west-3" in one for one in seen)
    with pytest.raises(ArgumentError, match="nobody"):
        open_store(bucket.uri, options | {"aws_profile": "nobody"})


def test_a_profile_without_boto3_is_refused_with_a_hint(bucket: Bucket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ArgumentError, match="boto3") as raised:
        open_store(bucket.uri, {"aws_profile": "lake"})
    assert "pip install boto3" in raised.value.hint


def test_a_store_goes_to_other_processes_with_its_options(bucket: Bucket):
    bucket.put("t/a", b"a")
    store = open_store(f"{bucket.uri}/t", bucket.options)
    assert pickle.loads(pickle.dumps(store)).get("a") == b"a"
    assert SECRET not in repr(store)


# ---- what goes wrong


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket):
    store = open_store("s3://no-such-lake/t", bucket.options | QUICK)
    for call in (store.check, store.list, lambda: store.get("x"), lambda: store.list(after="x")):
        with pytest.raises(LocationNotFoundError, match=r"s3://no-such-lake \(there is no such bucket\)"):
            call()


@pytest.mark.parametrize(
    ("refusal", "error", "said"),
    [
        (s3_error(403, "AccessDenied"), PermissionDeniedError, "Permission denied"),
        (s3_error(403, "InvalidAccessKeyId"), PermissionDeniedError, "InvalidAccessKeyId"),
        (s3_error(403, "SignatureDoesNotMatch"), PermissionDeniedError, "SignatureDoesNotMatch"),
        (s3_error(400, "ExpiredToken"), PermissionDeniedError, "ExpiredToken"),
        (s3_error(301, "PermanentRedirect"), StorageError, "region"),
        (s3_error(500, "InternalError"), StorageError, "Can't read"),
    ],
)
def test_a_refusal_is_one_line_with_a_hint(
    far: Store, s3_proxy: Proxy, refusal: tuple[int, str], error: type[StorageError], said: str
):
    s3_proxy.refuse = lambda _method, _path: refusal
    for call in (far.check, far.list, lambda: far.get("x"), lambda: far.open("x"), lambda: far.list(after="x")):
        with pytest.raises(error, match=said) as raised:
            call()
        assert "\n" not in raised.value.message
        assert len(raised.value.message) < 400
        assert SECRET not in f"{raised.value.message}{raised.value.hint}"
        assert raised.value.hint or refusal[0] == 500


def test_a_store_that_stumbles_is_asked_again(bucket: Bucket, far: Store, s3_proxy: Proxy):
    bucket.put("t/a", b"a")
    s3_proxy.refuse = lambda _method, _path: s3_error(503, "SlowDown") if len(s3_proxy.requests) % 3 else None
    assert far.get("a") == b"a"
    assert len(s3_proxy.requests) == 3


def test_a_store_that_is_down_is_given_up(bucket: Bucket):
    store = open_store(bucket.uri, bucket.options | QUICK | {"aws_endpoint_url": "http://127.0.0.1:1"})
    with pytest.raises(StorageError, match=r"Can't reach http://127\.0\.0\.1:1 .*after 3 tries") as raised:
        store.check()
    assert "endpoint" in raised.value.hint


def test_an_interrupt_ends_the_wait_for_an_answer(bucket: Bucket, s3_proxy: Proxy):
    s3_proxy.latency = 60
    code = f"""
import signal, sys, threading, time
from deltalakedb.log.store import open_store
store = open_store({bucket.uri!r}, {bucket.through(s3_proxy.url)!r})
print("ready", flush=True)
try:
    store.check()
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    while not s3_proxy.requests:
        pass
    process.send_signal(2)
    out, _ = process.communicate(timeout=30)  # half of what the answer takes
    assert (out, process.returncode) == ("interrupted\n", 0)
