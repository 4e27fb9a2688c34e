import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deltalakedb.errors import (
    ArgumentError,
    LocationNotFoundError,
    StorageError,
)
from deltalakedb.log import store as store_module
from deltalakedb.log.store import open_store


def test_a_folder_is_listed_in_order_with_sizes_and_times(tmp_path: Path):
    for name in ("b", "a", "c"):
        (tmp_path / name).write_bytes(name.encode() * 3)
        os.utime(tmp_path / name, ns=(0, 1_700_000_000_123_999_999))
    (tmp_path / "folder").mkdir()
    listing = open_store(tmp_path).list()
    assert [(file.name, file.size, file.modified_ms) for file in listing.files] == [
        (name, 3, 1_700_000_000_123) for name in ("a", "b", "c")
    ]
    assert listing.folders == ["folder"]


def test_a_listing_can_begin_behind_a_name(tmp_path: Path):
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    assert [file.name for file in open_store(tmp_path).list(after="a").files] == ["b", "c"]


def test_links_that_lead_nowhere_are_not_listed(tmp_path: Path):
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert [file.name for file in open_store(tmp_path).list().files] == ["file", "link"]


def test_a_file_comes_in_chunks_that_join_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store_module, "READ_BYTES", 10)
    content = bytes(range(256))
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "empty").touch()
    store = open_store(tmp_path)
    chunks = list(store.chunks("file"))
    assert len(chunks) == 26
    assert b"".join(chunks) == store.get("file") == content
    assert store.get("empty") == b""
    with store.open("file") as stream:
        stream.seek(250)
        assert stream.read() == content[250:]


def test_a_location_is_an_absolute_path_however_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = tmp_path / "a b%20c"
    table.mkdir()
    monkeypatch.chdir(tmp_path)
    uri = table.as_uri()
    assert "%20" in uri
    given = [table, f"{table}/", "a b%20c", "./x/../a b%20c/", uri, uri.replace("file://", "file:")]
    assert {open_store(location).location for location in given} == {str(table)}
    assert open_store(uri).list().files == []
    assert open_store(tmp_path).child("a b%20c").location == str(table)


def test_what_is_not_there_is_said_to_be_not_there(tmp_path: Path):
    (tmp_path / "file").touch()
    for call in (
        lambda: open_store(tmp_path / "gone").list(),
        lambda: open_store(tmp_path / "file").list(),
        lambda: open_store(tmp_path).list("gone"),
        lambda: list(open_store(tmp_path).chunks("gone")),
        lambda: open_store(tmp_path).open("gone"),
        lambda: open_store(tmp_path).get("file/below"),
    ):
        with pytest.raises(LocationNotFoundError, match=r"Not found: .*(gone|file)"):
            call()


def test_other_troubles_are_storage_errors_with_the_path(tmp_path: Path):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(StorageError, match="round"):
        open_store(tmp_path).get("round")
    with pytest.raises(StorageError, match=tmp_path.name):
        open_store(tmp_path).get("")
    with pytest.raises(StorageError, match="xxx"):
        open_store(tmp_path).get("x" * 5000)


@pytest.mark.parametrize("location", ["", "s4://bucket/table", "http://host/table", "file://host/table", "a\0b"])
def test_a_location_that_can_be_none_is_refused(location: str):
    with pytest.raises(ArgumentError):
        open_store(location).list()


READ_AS_NOBODY = """
import os, sys
from deltalakedb.errors import PermissionDeniedError
from deltalakedb.log.store import open_store
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
store = open_store(sys.argv[1])
for call in (lambda: store.list("closed"), lambda: store.get("file"), lambda: store.open("file")):
    try:
        call()
    except PermissionDeniedError as error:
        print(error.message, "|", error.hint)
"""


def test_what_may_not_be_read_is_permission_denied():
    with tempfile.TemporaryDirectory() as folder:  # not pytest's own: only its owner may enter that
        root = Path(folder)
        root.chmod(0o755)
        (root / "closed").mkdir(mode=0)
        (root / "file").touch(mode=0)
        script = [sys.executable, "-c", READ_AS_NOBODY, folder]
        done = subprocess.run(script, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        f"Permission denied: {root / name} | Check who may read the file." for name in ("closed", "file", "file")
    ]
