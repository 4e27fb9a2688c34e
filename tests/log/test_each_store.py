"""What all object stores have in common, over HTTP against a server of each: S3, Azure, Google."""

import json
from pathlib import Path

import pytest

from deltalakedb.errors import LocationNotFoundError, StorageError
from deltalakedb.log.store import Store, open_store
from tests.support.object_stores import Bucket

QUICK = {"max_retries": "1", "backoff_config.init_backoff": "1ms", "backoff_config.max_backoff": "2ms"}


@pytest.fixture
def far(each_bucket: Bucket) -> Store:
    """The folder `t` of a bucket."""
    return open_store(f"{each_bucket.uri}/t", each_bucket.options | QUICK)


def names(store: Store, *args: str, **options: str) -> list[str]:
    return [file.name for file in store.list(*args, **options).files]


def test_a_folder_is_listed_in_order_with_sizes_and_times(each_bucket: Bucket, far: Store):
    each_bucket.put_all({f"t/{name}": name.encode() * 3 for name in ("b", "a", "c/d", "c/e/f", "g/h")})
    each_bucket.put("tt/x", b"")
    listing = far.list()
    assert [(file.name, file.size) for file in listing.files] == [("a", 3), ("b", 3)]
    assert listing.folders == far.folders() == ["c", "g"]
    assert all(file.modified_ms > 1_700_000_000_000 for file in listing.files)
    assert names(far, "c/e") == ["f"]


def test_a_listing_can_begin_behind_a_name_and_end_ahead_of_one(each_bucket: Bucket, far: Store):
    each_bucket.put_all({f"t/{name}": b"" for name in ("1", "2", "3", "_x/4", "_y")})
    assert names(far, after="1", before=":") == ["2", "3"]
    assert names(far, after="3", before=":") == []
    assert names(far, before="2") == ["1"]
    everything = far.list(after="1")
    assert ([file.name for file in everything.files], everything.folders) == (["2", "3", "_y"], ["_x"])


@pytest.mark.parametrize("name", ["a b", "a%20b", "a+b", "ä/ö", "a?b#c", "a=b&c", "🦆", "a'b", "~", "a:b"])
def test_keys_are_names_as_they_are(each_bucket: Bucket, name: str):
    each_bucket.put(f"{name}/x y%2Fz", name.encode())
    store = open_store(each_bucket.uri, each_bucket.options)
    for part in name.split("/"):
        assert store.list().folders == [part]
        store = store.child(part)
    assert names(store) == ["x y%2Fz"]
    again = open_store(store.location, each_bucket.options)
    assert (again.location, again.get("x y%2Fz")) == (store.location, name.encode())


def test_a_file_is_read_whole_in_chunks_and_in_ranges(each_bucket: Bucket, far: Store):
    content = bytes(range(256)) * 40_000
    each_bucket.put("t/file", content)
    each_bucket.put("t/empty", b"")
    assert b"".join(far.chunks("file")) == far.get("file") == content
    assert (list(far.chunks("empty")), far.get("empty")) == ([], b"")
    with far.open("file") as stream:
        stream.seek(-10, 2)
        assert stream.read() == content[-10:]
        stream.seek(5)
        assert stream.read(300_000) == content[5:300_005]
    far.expect([("file", len(content)), ("empty", 0)])
    assert far.get("empty") == b""


def test_what_is_not_there_is_said_to_be_not_there(each_bucket: Bucket, far: Store):
    each_bucket.put("t/file", b"x")
    for call in (
        lambda: far.list("gone"),
        lambda: far.child("gone").check(),
        lambda: far.get("gone"),
        lambda: list(far.chunks("gone")),
        lambda: far.open("gone"),
        lambda: far.get("file/below"),
    ):
        with pytest.raises(LocationNotFoundError, match=f"{each_bucket.uri}/t/") as raised:
            call()
        assert raised.value.hint
    far.check()


def test_a_bucket_that_is_not_there_is_an_error_of_one_line(each_bucket: Bucket):
    uri = each_bucket.uri.replace("lake-", "none-")
    with pytest.raises(StorageError, match="none-") as raised:
        open_store(f"{uri}/t", each_bucket.options | QUICK).check()
    assert "\n" not in raised.value.message
    assert each_bucket.secret not in raised.value.message


# ---- each cloud's own ways in


@pytest.mark.parametrize("form", ["az://{container}", "abfss://{container}@{account}.dfs.core.windows.net"])
def test_azure_has_two_kinds_of_uris(azure_server, form: str):
    bucket = azure_server.bucket(form=form)
    bucket.put("t/a", b"a")
    store = open_store(f"{bucket.uri}/t", bucket.options)
    assert (store.location, store.get("a")) == (f"{bucket.uri}/t", b"a")


def test_azure_takes_its_credentials_from_the_environment(azure_server, monkeypatch: pytest.MonkeyPatch):
    bucket = azure_server.bucket()
    bucket.put("t/a", b"a")
    for name, value in bucket.options.items():
        monkeypatch.setenv("AZURE_ALLOW_HTTP" if name == "allow_http" else name.upper(), value)
    assert open_store(f"{bucket.uri}/t").get("a") == b"a"


def test_azure_refuses_a_wrong_key_without_showing_it(azure_server):
    bucket = azure_server.bucket()
    wrong = "d3Jvbmcga2V5"
    store = open_store(bucket.uri, bucket.options | QUICK | {"azure_storage_account_key": wrong})
    with pytest.raises(StorageError, match="Permission denied") as raised:
        store.list()
    assert raised.value.hint
    assert wrong not in f"{raised.value.message}{raised.value.hint}"


def test_google_takes_its_credentials_from_a_file_that_the_environment_names(
    google_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bucket = google_server.bucket()
    bucket.put("t/a", b"a")
    account = tmp_path / "account.json"
    account.write_text(bucket.options["google_service_account_key"])
    monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
    assert open_store(f"{bucket.uri}/t", {"google_service_account": str(account)}).get("a") == b"a"
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
    assert open_store(f"{bucket.uri}/t").get("a") == b"a"
    assert json.loads(account.read_text())["disable_oauth"]
