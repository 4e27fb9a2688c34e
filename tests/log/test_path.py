import pytest

from deltalakedb.log.path import LogFileKind, commit_name, parse_name

V5 = f"{5:020d}"
UNIQUE = "80a083e8-7026-4e79-81be-64bd76c43a11"


@pytest.mark.parametrize(
    ("name", "kind", "details"),
    [
        (f"{V5}.json", LogFileKind.COMMIT, {}),
        (f"{V5}.crc", LogFileKind.CHECKSUM, {}),
        (f"{V5}.checkpoint.parquet", LogFileKind.CHECKPOINT, {}),
        (f"{V5}.checkpoint.0000000002.0000000003.parquet", LogFileKind.CHECKPOINT, {"part": 2, "parts": 3}),
        (f"{V5}.checkpoint.{UNIQUE}.parquet", LogFileKind.CHECKPOINT, {"unique": UNIQUE}),
        (f"{V5}.checkpoint.{UNIQUE.upper()}.json", LogFileKind.CHECKPOINT, {"unique": UNIQUE.upper()}),
        (f"{V5}.{9:020d}.compacted.json", LogFileKind.COMPACTED, {"end_version": 9}),
    ],
)
def test_a_name_tells_what_the_file_is(name: str, kind: LogFileKind, details: dict):
    file = parse_name(name, size=3, modified_ms=4)
    assert file is not None
    assert (file.name, file.kind, file.version, file.size, file.modified_ms) == (name, kind, 5, 3, 4)
    assert file.path == f"_delta_log/{name}"
    found = {key: getattr(file, key) for key in ("part", "parts", "unique", "end_version")}
    assert {key: value for key, value in found.items() if value is not None} == details


@pytest.mark.parametrize(
    "name",
    [
        "",
        "_last_checkpoint",
        f".{V5}.json",
        f".{V5}.json.crc",
        f"._{V5}.json",
        f"{V5}.json.tmp",
        f"{V5}.json~",
        f"{V5}.json\n",
        f" {V5}.json",
        f"{V5} (1).json",
        f"{V5}.JSON",
        f"{V5}.{UNIQUE}.json",
        f"{V5}.{UNIQUE}.tmp",
        "5.json",
        f"{5:019d}.json",
        f"{5:021d}.json",
        f"-{5:019d}.json",
        V5.replace("0", "\u0660") + ".json",  # Arabic digits are digits to str.isdigit and to \d
        f"{2**63:020d}.json",
        f"{V5}.checkpoint",
        f"{V5}.checkpoint.json",
        f"{V5}.checkpoint.parquet.crc",
        f"{V5}.checkpoint.parquet.tmp",
        f"{V5}.checkpoint.{UNIQUE}.crc",
        f"{V5}.checkpoint.{UNIQUE[:-1]}.parquet",
        f"{V5}.checkpoint.0000000001.parquet",
        f"{V5}.checkpoint.1.2.parquet",
        f"{V5}.checkpoint.0000000000.0000000002.parquet",
        f"{V5}.checkpoint.0000000003.0000000002.parquet",
        f"{V5}.compacted.json",
        ".s3-optimization-0",
        "_commits",
    ],
)
def test_what_nearly_is_a_log_file_is_foreign(name: str):
    assert parse_name(name) is None


def test_the_newest_version_that_can_be_is_a_version():
    name = commit_name(2**63 - 1)
    assert name == "09223372036854775807.json"
    assert parse_name(name).version == 2**63 - 1


def test_every_commit_name_is_read_back():
    for version in (0, 1, 10**19 // 2, 2**63 - 1):
        assert parse_name(commit_name(version)).version == version
