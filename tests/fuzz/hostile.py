"""Input that nobody should have to expect: good files and texts, spoiled in the ways that break readers.

    json_text()  ─▶ any JSON, and what only looks like it
    action()     ─▶ one action, with fields that are wrong, gone, there twice, or new
    commit()     ─▶ the bytes of a commit;  edited(bytes) ─▶ the same with bytes cut out, put in and flipped

Everything is a hypothesis strategy, so that a failure shrinks to what is wrong, and atheris can drive it as well.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.support.logs import add, cdc, commit_info, domain, dv, metadata, protocol, remove, txn

IN_CI = settings(
    derandomize=True,  # what is found anew is found by `make fuzz`, not by somebody else's change
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

# ---- JSON

ODD_TEXTS = (
    "",
    "a",
    "null",
    "a b",
    "a%20b",
    "\x00",
    "a\x00b",
    "../../etc/passwd",
    "..%2f..%2fetc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "s3://lake/x",
    "http://[::1",
    "a\\..\\b",
    "%zz",
    "😀" * 3,
    "x" * 5000,
    "2024-01-01",
    "-1",
    "NaN",
    "1e999999999",
    "9" * 5000,
    "'; DROP TABLE delta_files; --",
)
ODD_JSON = (
    "null",
    "true",
    "0",
    "-1",
    "5",
    "500.0",
    "1.5",
    "1e18",
    "1e400",
    "1e-400",
    "1e999999999",
    "-1e999999999",
    "1e999999999999999999999",
    "1e-999999999",
    "-0.0",
    str(2**63),
    str(-(2**63)),
    str(2**63 - 1),
    "9" * 30,
    "9" * 5000,
    "NaN",
    "Infinity",
    '""',
    '"5"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    "[]",
    "[1]",
    "[null]",
    '["a","a"]',
    "{}",
    '{"":""}',
    '{"a":1,"a":2}',
    '{"a":{"b":[{}]}}',
    *("[" * depth + "]" * depth for depth in (300, 800, 900, 950, 970)),
    "[" * 2000 + "]" * 2000,
    '{"a":' * 100_000,
    "[" * 100_000,
    "{",
    '"',
    "",
)
texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=20))


def json_text() -> st.SearchStrategy[str]:
    """The text of a JSON value, good or bad."""
    plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
    good = st.recursive(
        plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
    )
    return st.one_of(st.sampled_from(ODD_JSON), good.map(lambda value: json.dumps(value, ensure_ascii=False)))


# ---- commits

STATS = json.dumps(
    {
        "numRecords": 3,
        "minValues": {"id": 1, "day": "2024-01-01", "s": {"x": "a"}, "d": 1.5},
        "maxValues": {"id": 9, "day": "2024-02-01"},
        "nullCount": {"id": 0, "day": 0},
    }
)
GOOD = (
    protocol(),
    protocol(features=["deletionVectors", "timestampNtz"], writer_features=["domainMetadata"]),
    metadata(
        {
            "id": "long",
            "day": "date",
            "d": "decimal(10,2)",
            "t": "timestamp",
            "s": {"type": "struct", "fields": [{"name": "x", "type": "string", "nullable": True, "metadata": {}}]},
            "a": {"type": "array", "elementType": "long", "containsNull": True},
            "m": {"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": True},
        }
    ),
    metadata({"id": "long", "day": "date"}, ["day"], {"delta.columnMapping.mode": "none"}, name="n"),
    add("a.parquet", stats=STATS),
    add("b.parquet", stats=STATS, partitionValues={"day": "2024-01-01"}, tags={"k": "v"}),
    add("c.parquet", deletionVector=dv(), baseRowId=0, defaultRowCommitVersion=1, clusteringProvider="liquid"),
    remove("a.parquet"),
    remove("a.parquet", partitionValues={}, size=100, extendedFileMetadata=True),
    remove("c.parquet", deletionVector=dv(), stats=STATS, tags={}),
    txn("app", 1, lastUpdated=1),
    domain("d", '{"a":1}'),
    domain("d", removed=True),
    cdc("_change_data/c.parquet"),
    commit_info("MERGE", operationParameters={"predicate": "[]"}, operationMetrics={"numFiles": "1"}),
    commit_info(inCommitTimestamp=5, isBlindAppend=True, engineInfo="x", txnId="t", userId="u"),
    {"checkpointMetadata": {"version": 1}},
    {"somethingNew": {"a": [1.50, None]}},
)
_NAMES = tuple(dict.fromkeys(name for action in GOOD for name in action))
_FIELDS = tuple(dict.fromkeys(field for action in GOOD for body in action.values() for field in body))


@st.composite
def spoiled(draw: st.DrawFn, text: str) -> str:
    """A JSON text with one value of it replaced: also within text that holds JSON itself, as a schema or statistics."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # spoiled already
        return draw(json_text())
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.dumps(draw(spoiled(value)), ensure_ascii=False)
    if isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        at = draw(st.sampled_from(keys))
        mark = "\ufdd0"
        inner = draw(spoiled(json.dumps(value[at])))
        value[at] = mark
        return json.dumps(value, ensure_ascii=False).replace(json.dumps(mark, ensure_ascii=False), inner, 1)
    return draw(json_text())


@st.composite
def action(draw: st.DrawFn) -> bytes:
    """One line of a commit."""
    ((name, body),) = draw(st.sampled_from(GOOD)).items()
    fields = [(key, json.dumps(value, ensure_ascii=False)) for key, value in body.items()]
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2, 5)))):
        at = draw(st.integers(0, max(0, len(fields) - 1)))
        match draw(st.sampled_from(("change", "within", "within", "rename", "drop", "more", "twice", "name"))):
            case "change" if fields:
                fields[at] = (fields[at][0], draw(json_text()))
            case "within" if fields:
                fields[at] = (fields[at][0], draw(spoiled(fields[at][1])))
            case "rename" if fields:
                fields[at] = (draw(st.one_of(st.sampled_from(_FIELDS), texts)), fields[at][1])
            case "drop" if fields:
                del fields[at]
            case "more":
                fields.append((draw(st.one_of(st.sampled_from(_FIELDS), texts)), draw(json_text())))
            case "twice" if fields:
                fields.append(fields[at])
            case "name":
                name = draw(st.one_of(st.sampled_from(_NAMES), texts))
    inner = ",".join(f"{json.dumps(key, ensure_ascii=False)}:{value}" for key, value in fields)
    return f"{{{json.dumps(name, ensure_ascii=False)}:{{{inner}}}}}".encode("utf-8", "surrogatepass")


def edited(content: bytes, words: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """The content, spoiled in some places."""
    piece = st.one_of(st.binary(max_size=8), st.sampled_from([*words, *_NUMBERS]))
    edit = st.tuples(st.integers(0, max(1, len(content))), st.integers(0, 12), piece, st.booleans())

    def apply(edits: list[tuple[int, int, bytes, bool]]) -> bytes:
        found = content
        for at, length, new, over in edits:
            found = found[:at] + new + found[at + (len(new) if over else length) :]
        return found

    return st.lists(edit, min_size=1, max_size=6).map(apply)


_NUMBERS = tuple(
    struct.pack(form, number)
    for form, number in (("<i", -1), ("<i", 2**31 - 1), ("<I", 2**31), ("<q", 2**62), ("<q", -1), ("B", 0), ("B", 255))
) + (b"\xff\xff\xff\xff\x07", b"\xfe\xff\xff\xff\x0f", b"\x80" * 9 + b"\x01")  # and as thrift writes them

_JSON_WORDS = (b"{", b"}", b"[", b'"', b",", b":", b"\\u0000", b"\\ud800", b"\xff", b"\xed\xa0\x80", b"\r\n", b"\n\n")
_SEPARATORS = (b"\n", b"\n", b"\n", b"\r\n", b"", b"\n\n", b" ", b"\r", b"\x00", b",")
_BEGINNINGS = (b"", b"", b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\n")


@st.composite
def commit(draw: st.DrawFn, lines: int = 6) -> bytes:
    """The bytes of a commit."""
    actions = draw(st.lists(action(), max_size=lines))
    content = draw(st.sampled_from(_BEGINNINGS)) + draw(st.sampled_from(_SEPARATORS)).join([*actions, b""])
    if len(content) < 100_000 and draw(st.sampled_from((False, False, True))):
        return draw(edited(content, _JSON_WORDS))
    return content


def cut(content: bytes) -> st.SearchStrategy[list[bytes]]:
    """The content in pieces."""
    places = st.lists(st.integers(0, len(content)), max_size=4).map(sorted)
    return places.map(lambda at: [content[a:b] for a, b in zip([0, *at], [*at, len(content)], strict=True)])
