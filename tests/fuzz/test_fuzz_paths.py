"""Paths of a log: below the table's folder, absolute where they say so, or refused; never somewhere else."""

from __future__ import annotations

import posixpath
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.errors import ArgumentError, CorruptLogError, DeltaLakeDBError
from deltalakedb.log.path import parse_name, sidecar_name
from deltalakedb.log.remote.uri import SCHEMES, parse
from deltalakedb.log.store import open_store
from deltalakedb.migrate.table_ids import default_table_id
from deltalakedb.table.exceptions import FileOutsideTableError
from deltalakedb.table.locations import Root
from deltalakedb.table.mini_log import absolute_vector
from tests.fuzz import hostile

PARTS = ("..", ".", "", "a", "a b", "%2e%2e", "%2E.", "..%2f..", "%2f", "%5c..", "..\\..", "%00", "\x00", "%252e%252e")
PARTS += ("etc", "passwd", "p=1", "a:b", "file:", "s3:", "é", "😀", "%", "%zz", "#", "?", "x" * 300)
paths = st.one_of(st.lists(st.sampled_from(PARTS), max_size=6).map("/".join), hostile.texts)
roots = st.sampled_from((Root("/lake/the table", is_local=True), Root("s3://bucket/the table", is_local=False)))


@hostile.IN_CI
@given(root=roots, path=paths)
def test_a_relative_path_leads_below_the_root(root: Root, path: str):
    try:
        file = root.file(path)
    except FileOutsideTableError:
        with pytest.raises(FileOutsideTableError):
            root.files(pa.array([path]))
        return
    assert root.files(pa.array(["x", path])).to_pylist() == [f"{root.plain}/x", file]
    if not path.startswith("/") and not Root.is_absolute(path):
        below(root, file)
        below(root, opened_by_an_engine(root.url(path)))


def opened_by_an_engine(url: str) -> str:
    """What a parser of URLs makes of one."""
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" else f"{parts.scheme}://{parts.netloc}{unquote(parts.path)}"


def below(root: Root, file: str) -> None:
    scheme, separator, rest = file.partition("://")
    tidy = (
        f"{scheme}://{posixpath.normpath(rest)}" if separator and not file.startswith("/") else posixpath.normpath(file)
    )
    assert tidy == file
    assert tidy.startswith(f"{root.plain}/")


@hostile.IN_CI
@given(root=roots, prefix=paths, name=st.one_of(st.just("vBn[lx{q8@P<9BNH/isA"), hostile.texts))
def test_a_deletion_vector_of_the_table_lies_below_its_root(root: Root, prefix: str, name: str):
    vector = msgspec.json.encode({"storageType": "u", "pathOrInlineDv": prefix + name}).decode()
    with suppress(CorruptLogError):
        below(root, opened_by_an_engine(msgspec.json.decode(absolute_vector(root, vector))["pathOrInlineDv"]))


@hostile.IN_CI
@given(path=paths)
def test_a_sidecar_lies_in_its_folder(path: str):
    name = sidecar_name(path)
    assert name is None or posixpath.normpath(f"_sidecars/{name}") == f"_sidecars/{name}"


NAMES = ("00000000000000000001.json", "00000000000000000001.checkpoint.parquet", "_last_checkpoint")
NAMES += ("00000000000000000001.checkpoint.0000000001.0000000002.parquet", "99999999999999999999.json")
NAMES += ("00000000000000000001.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json",)
NAMES += ("00000000000000000004.00000000000000000006.compacted.json", "00000000000000000001.crc")


@hostile.IN_CI
@given(
    name=st.one_of(
        hostile.texts,
        st.sampled_from(NAMES)
        .flatmap(lambda name: hostile.edited(name.encode(), (b"0", b".", b"-", b"\xd9\xa0")))
        .map(lambda name: name.decode("utf-8", "surrogateescape")),
    )
)
def test_a_file_name_of_a_log_is_known_or_foreign(name: str):
    found = parse_name(name)
    assert found is None or (0 <= found.version < 2**63 and found.name == name and name.isascii())


@hostile.IN_CI
@given(scheme=st.sampled_from((*SCHEMES, "S3")), authority=hostile.texts, path=paths)
def test_a_location_in_a_store_has_one_spelling(scheme: str, authority: str, path: str):
    with suppress(ArgumentError):
        uri = parse(f"{scheme}://{authority}/{path}")
        assert parse(uri.text) == uri
        assert ".." not in uri.key.split("/")


@hostile.IN_CI
@given(
    location=st.one_of(
        paths, st.tuples(st.sampled_from(("file://", "file:", "hdfs://", "://", "file:///")), paths).map("".join)
    )
)
def test_a_location_is_a_folder_or_our_error(location: str):
    default_table_id(location)
    with suppress(DeltaLakeDBError):
        open_store(location).check()
    with suppress(DeltaLakeDBError):
        open_store(location).list("_delta_log")
