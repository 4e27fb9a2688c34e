"""Writes Delta logs by hand, for the shapes that no engine writes on demand.

    log = LogBuilder(tmp_path / "orders")
    log.commit(protocol(), metadata({"id": "long"}), add("a.parquet"))
    log.commit(remove("a.parquet"), add("b.parquet"), commit_info("MERGE"))
    log.checkpoint(parts=2)
    log.drop([0, 1])

Actions are plain dicts as in the log, made by the functions below. Each takes further fields by keyword, with the
protocol's names; a field whose value is `...` is left out, `None` is written as null. Nothing is checked: a log that
breaks the protocol is as easy to write as one that keeps it. No data files are written.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

Action = dict[str, Any]
FileKey = tuple[str, str | None]

BEGIN_MS = 1_700_000_000_000  # the default of every time, in milliseconds since the epoch
INLINE_VECTOR = "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"  # the example of PROTOCOL.md: six rows


# ---- actions


def protocol(
    reader: int = 1,
    writer: int = 2,
    *,
    features: Sequence[str] = (),
    writer_features: Sequence[str] = (),
    **fields: Any,
) -> Action:
    """A `protocol`; with `features` (for readers and writers) or `writer_features` it is one of versions 3 and 7."""
    body: Action = {"minReaderVersion": reader, "minWriterVersion": writer}
    if features:
        body |= {"minReaderVersion": 3, "readerFeatures": list(features)}
    if features or writer_features:
        body |= {"minWriterVersion": 7, "writerFeatures": [*features, *writer_features]}
    return _action("protocol", body, fields)


def metadata(
    columns: Mapping[str, Any] | None = None,
    partitions: Sequence[str] = (),
    configuration: Mapping[str, str] | None = None,
    **fields: Any,
) -> Action:
    """A `metaData`; `columns` maps names to Delta types (`"long"`, or a dict for a nested one), by default one `id`."""
    struct = [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in (columns or {"id": "long"}).items()]
    body = {
        "id": "0f5c1a52-6d1f-4a0c-9a37-3d4d6a7a1c11",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": struct}),
        "partitionColumns": list(partitions),
        "configuration": dict(configuration or {}),
        "createdTime": BEGIN_MS,
    }
    return _action("metaData", body, fields)


def add(path: str, **fields: Any) -> Action:
    """An `add` of 100 bytes and one row, in no partition."""
    body = {
        "path": path,
        "partitionValues": {},
        "size": 100,
        "modificationTime": BEGIN_MS,
        "dataChange": True,
        "stats": json.dumps({"numRecords": 1}),
    }
    return _action("add", body, fields)


def remove(path: str, **fields: Any) -> Action:
    """A `remove` with the fields that the protocol demands."""
    return _action("remove", {"path": path, "deletionTimestamp": BEGIN_MS, "dataChange": True}, fields)


def cdc(path: str, **fields: Any) -> Action:
    """A `cdc` file of 100 bytes, in no partition."""
    return _action("cdc", {"path": path, "partitionValues": {}, "size": 100, "dataChange": False}, fields)


def txn(app_id: str, version: int, **fields: Any) -> Action:
    """A `txn`, without `lastUpdated`."""
    return _action("txn", {"appId": app_id, "version": version}, fields)


def domain(name: str, configuration: str = "{}", *, removed: bool = False, **fields: Any) -> Action:
    """A `domainMetadata`."""
    return _action("domainMetadata", {"domain": name, "configuration": configuration, "removed": removed}, fields)


def commit_info(operation: str = "WRITE", **fields: Any) -> Action:
    """A `commitInfo` with a timestamp, without metrics."""
    return _action("commitInfo", {"timestamp": BEGIN_MS, "operation": operation, "operationParameters": {}}, fields)


def dv(
    where: str = INLINE_VECTOR, kind: Literal["i", "p", "u"] = "i", offset: int | None = None, **fields: Any
) -> Action:
    """A deletion vector, for the field `deletionVector` of `add` and `remove`; `offset` None leaves the field out."""
    body = {"storageType": kind, "pathOrInlineDv": where, "sizeInBytes": 40, "cardinality": 6}
    return _without_blanks(body | ({} if offset is None else {"offset": offset}) | fields)


def file_key(file: Action) -> FileKey:
    """`(path, deletion vector's unique id or None)` of the body of an `add` or `remove`."""
    vector = file.get("deletionVector")
    if not vector:
        return file["path"], None
    offset = f"@{vector['offset']}" if vector.get("offset") is not None else ""
    return file["path"], f"{vector['storageType']}{vector['pathOrInlineDv']}{offset}"


def to_lines(actions: Iterable[Action]) -> bytes:
    """One action a line, as in a commit."""
    return "".join(json.dumps(action, ensure_ascii=False) + "\n" for action in actions).encode()


def _action(name: str, body: Action, fields: Action) -> Action:
    return {name: _without_blanks(body | fields)}


def _without_blanks(body: Action) -> Action:
    return {name: value for name, value in body.items() if value is not ...}


# ---- the log


class LogBuilder:
    """Writes the log of one table, `root/_delta_log`, and keeps in mind what it wrote."""

    def __init__(self, root: Path, version: int = 0) -> None:
        """Makes the folders; the first commit gets `version`."""
        self.root = Path(root)
        self.log = self.root / "_delta_log"
        self.log.mkdir(parents=True, exist_ok=True)
        self.commits: dict[int, list[Action]] = {}
        self._next = version

    @property
    def version(self) -> int:
        """The newest version that was written."""
        return self._next - 1

    def commit(
        self, *actions: Action, version: int | None = None, raw: bytes | Callable[[bytes], bytes] | None = None
    ) -> int:
        """Writes a commit, by default the next one, and returns its version.

        `raw` is what to write in place of the plain lines, or makes it from them; `actions` still say what it means.
        """
        version = self._next if version is None else version
        self._next = max(self._next, version + 1)
        self.commits[version] = list(actions)
        lines = to_lines(actions)
        self.put(commit_name(version), raw(lines) if callable(raw) else lines if raw is None else raw)
        return version

    def checkpoint(
        self,
        version: int | None = None,
        *,
        parts: int | None = None,
        v2: Literal["json", "parquet", "classic"] | None = None,
        sidecars: int = 0,
        hint: bool = False,
        tombstones: bool = True,
        state_of: int | None = None,
    ) -> list[Path]:
        """Writes a checkpoint of `version`, by default the newest, and returns its files, the main one first.

        Args:
            version: the version whose state it holds; earlier commits may be dropped already.
            parts: the number of parts of a multi-part checkpoint.
            v2: the form of a V2 manifest; "classic" is a Parquet one under the name of a classic checkpoint. The
                table's protocol should then have the feature `v2Checkpoint`.
            sidecars: over how many sidecars a V2 checkpoint spreads its files; 0 keeps them in the manifest.
            hint: write `_last_checkpoint` too.
            tombstones: whether removes are in it, as long as they have not expired.
            state_of: the version whose state it really holds, where its writer lagged behind.
        """
        version = self.version if version is None else version
        last = version if state_of is None else state_of
        state = replay(actions for v, actions in sorted(self.commits.items()) if v <= last)
        state = [action for action in state if tombstones or "remove" not in action]
        if v2:
            files = self._v2_checkpoint(version, state, v2, sidecars)
        else:
            names = checkpoint_names(version, parts)
            files = [self._parquet(name, state[n :: len(names)], CHECKPOINT) for n, name in enumerate(names)]
        if hint:
            body = {"version": version, "size": len(state)} | ({"parts": parts} if parts else {})
            self.put("_last_checkpoint", json.dumps(body).encode())
        return files

    def drop(self, versions: Iterable[int]) -> None:
        """Deletes commit files, as the clean-up of a log does; later checkpoints still know what they said."""
        for version in versions:
            (self.log / commit_name(version)).unlink()

    def put(self, name: str, content: bytes = b"") -> Path:
        """Writes any file, `name` being relative to the log's folder."""
        path = self.log / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def files(self, version: int | None = None) -> set[FileKey]:
        """The keys of the files that are active at `version`, by default the newest."""
        version = self.version if version is None else version
        state = replay(actions for v, actions in sorted(self.commits.items()) if v <= version)
        return {file_key(action["add"]) for action in state if "add" in action}

    def _v2_checkpoint(self, version: int, state: list[Action], form: str, sidecars: int) -> list[Path]:
        head = [{"checkpointMetadata": {"version": version}}, *(a for a in state if not _is_file(a))]
        files = [action for action in state if _is_file(action)]
        spread = [
            self._parquet(f"_sidecars/{_uuid(version, form, n)}.parquet", files[n::sidecars], SIDECAR)
            for n in range(sidecars)
        ]
        content = head + [_sidecar(path) for path in spread] + ([] if sidecars else files)
        name = f"{version:020d}.checkpoint.{_uuid(version, form)}"
        if form == "json":
            main = self.put(f"{name}.json", to_lines(content))
        elif form == "parquet":
            main = self._parquet(f"{name}.parquet", content, V2_CHECKPOINT)
        else:
            main = self._parquet(checkpoint_names(version)[0], content, V2_CHECKPOINT)
        return [main, *spread]

    def _parquet(self, name: str, actions: Iterable[Action], schema: pa.Schema) -> Path:
        path = self.put(name)
        struct = pa.struct(list(schema))
        pq.write_table(pa.Table.from_pylist([_fit(action, struct) for action in actions], schema=schema), path)
        return path


def commit_name(version: int) -> str:
    """The file name of a commit."""
    return f"{version:020d}.json"


def checkpoint_names(version: int, parts: int | None = None) -> list[str]:
    """The file names of a classic checkpoint: one, or as many as there are parts."""
    if not parts:
        return [f"{version:020d}.checkpoint.parquet"]
    return [f"{version:020d}.checkpoint.{part:010d}.{parts:010d}.parquet" for part in range(1, parts + 1)]


def replay(commits: Iterable[list[Action]]) -> list[Action]:
    """What a checkpoint after these commits holds: PROTOCOL.md, "Action Reconciliation". As plain as can be.

    Tombstones stay, without stats and tags; removed domains and what is no state (`commitInfo`, `cdc`) go.
    """
    state: dict[tuple[Any, ...], Action] = {}
    for actions in commits:
        for action in sorted(actions, key=lambda action: "add" in action):  # within a commit, removes come first
            for name, body in action.items():
                match name:
                    case "add" | "remove":
                        lost = {"dataChange"} if name == "add" else {"dataChange", "stats", "tags"}
                        kept = {field: value for field, value in body.items() if field not in lost}
                        state[("file", *file_key(body))] = {name: kept | {"dataChange": False}}
                    case "protocol" | "metaData":
                        state[(name,)] = {name: body}
                    case "txn" | "domainMetadata":
                        state[(name, body.get("appId", body.get("domain")))] = {name: body}
    order = ["protocol", "metaData", "txn", "domainMetadata", "add", "remove"]
    kept_actions = (a for a in state.values() if not a.get("domainMetadata", {}).get("removed"))
    return sorted(kept_actions, key=lambda action: order.index(next(iter(action))))


# ---- Parquet

_TEXT, _LONG, _INT, _FLAG = pa.string(), pa.int64(), pa.int32(), pa.bool_()
_MAP, _LIST = pa.map_(_TEXT, _TEXT), pa.list_(_TEXT)


def _struct(**fields: pa.DataType) -> pa.StructType:
    return pa.struct(list(fields.items()))


_VECTOR = _struct(storageType=_TEXT, pathOrInlineDv=_TEXT, offset=_INT, sizeInBytes=_INT, cardinality=_LONG)
_ROW_IDS = {"baseRowId": _LONG, "defaultRowCommitVersion": _LONG}
_ADD = _struct(
    path=_TEXT,
    partitionValues=_MAP,
    size=_LONG,
    modificationTime=_LONG,
    dataChange=_FLAG,
    stats=_TEXT,
    tags=_MAP,
    deletionVector=_VECTOR,
    clusteringProvider=_TEXT,
    **_ROW_IDS,
)
_REMOVE = _struct(
    path=_TEXT,
    deletionTimestamp=_LONG,
    dataChange=_FLAG,
    extendedFileMetadata=_FLAG,
    partitionValues=_MAP,
    size=_LONG,
    deletionVector=_VECTOR,
    **_ROW_IDS,
)
_METADATA = _struct(
    id=_TEXT,
    name=_TEXT,
    description=_TEXT,
    format=_struct(provider=_TEXT, options=_MAP),
    schemaString=_TEXT,
    partitionColumns=_LIST,
    configuration=_MAP,
    createdTime=_LONG,
)
_PROTOCOL = _struct(minReaderVersion=_INT, minWriterVersion=_INT, readerFeatures=_LIST, writerFeatures=_LIST)

CHECKPOINT = pa.schema(
    {
        "protocol": _PROTOCOL,
        "metaData": _METADATA,
        "txn": _struct(appId=_TEXT, version=_LONG, lastUpdated=_LONG),
        "domainMetadata": _struct(domain=_TEXT, configuration=_TEXT, removed=_FLAG),
        "add": _ADD,
        "remove": _REMOVE,
    }
)
SIDECAR = pa.schema({"add": _ADD, "remove": _REMOVE})
V2_CHECKPOINT = pa.unify_schemas(
    [
        CHECKPOINT,
        pa.schema(
            {
                "sidecar": _struct(path=_TEXT, sizeInBytes=_LONG, modificationTime=_LONG, tags=_MAP),
                "checkpointMetadata": _struct(version=_LONG, tags=_MAP),
            }
        ),
    ]
)


def _fit(value: Any, kind: pa.DataType) -> Any:
    """`value` in the form that pyarrow takes for `kind`; fields that `kind` does not have are lost."""
    if isinstance(value, dict) and pa.types.is_map(kind):
        return list(value.items())
    if isinstance(value, dict) and pa.types.is_struct(kind):
        return {field.name: _fit(value.get(field.name), field.type) for field in kind}
    return value


def _sidecar(path: Path) -> Action:
    return {"sidecar": {"path": path.name, "sizeInBytes": path.stat().st_size, "modificationTime": BEGIN_MS}}


def _is_file(action: Action) -> bool:
    return "add" in action or "remove" in action


def _uuid(*parts: object) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts)))  # the same log gets the same names every time
