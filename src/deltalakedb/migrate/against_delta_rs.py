"""The catalog against delta-rs (`deltalake`), a reader of logs by other people.

What delta-rs does not show: removes, tags, row ids, deletion vectors without their files, domain metadata, expired
transactions, files of changes, and actions that nobody knows. Nor does it open every table.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..catalog.gaps import whole_from
from ..catalog.snapshot import Snapshot
from ..log.segment import LogSegment
from ..log.store import Store
from .differences import Doubt, Findings
from .facts import parsed_json
from .processes import PATIENCE_SECONDS
from .state_against_log import metadata_of, protocol_of

if TYPE_CHECKING:
    from deltalake import DeltaTable

UNSEEN = "removes, tags, row ids, domain metadata, change files and unknown fields"


def reader_name() -> str:
    """Returns the name and version of the reader."""
    import deltalake

    return f"deltalake {deltalake.__version__}"


class Opened(NamedTuple):
    """A table that delta-rs has opened, and its active files as delta-rs shows them, an Arrow stream."""

    table: DeltaTable
    add_actions: Any


def open_version(store: Store, version: int | None = None) -> Opened | str:
    """Returns a table at a version, by default its newest, or why delta-rs does not open it.

    It reads the log anew for every version.
    """
    from deltalake import DeltaTable

    try:
        table = DeltaTable(store.location, version=version, storage_options=dict(store.storage_options) or None)
        return Opened(table, table.get_add_actions())  # some tables open, and fail here
    except Exception as error:
        return store.scrub(reason(error))
    except BaseException as error:  # a panic of the library's, which is no Exception
        if type(error).__name__ != "PanicException":
            raise
        return store.scrub(reason(error))


class Opening:
    """A table that delta-rs opens while this thread goes on; it needs no Python for that."""

    def __init__(self, store: Store, version: int) -> None:
        import deltalake  # noqa: F401 (a process that ends while its thread imports a library crashes)

        self._opened: list[Opened | str] = []
        self._thread = threading.Thread(target=lambda: self._opened.append(open_version(store, version)), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # it may be about to end, and a thread that ends beside its process crashes it
            self._thread.join(PATIENCE_SECONDS)

    def result(self) -> Opened | str:
        """Waits for the table; returns what `open_version` does."""
        while self._thread.is_alive():
            self._thread.join(PATIENCE_SECONDS)
        return self._opened[0]


def reason(error: BaseException) -> str:
    """Returns what an error of delta-rs says, in one line."""
    return str(error).partition("\n")[0].strip() or type(error).__name__


def compare_history(table: DeltaTable, snapshot: Snapshot, segment: LogSegment, findings: Findings) -> None:
    """Compares the commits that the log still has; the snapshot must be of the log's newest version.

    delta-rs gives all commits of the log, whichever version it has opened, leaves out those without a commitInfo, and
    numbers them from the opened version downwards: its numbers are not used.
    """
    from deltalake.exceptions import DeltaError

    try:
        seen = table.history()
    except DeltaError as error:  # it gives up on actions that it doesn't know
        findings.note(f"delta-rs could not read the history: {reason(error)}")
        return
    whole = whole_from(snapshot.entry)
    there = {commit.version for commit in segment.commits if commit.version >= whole}
    told = [commit for commit in snapshot.commits() if commit.commit_info is not None and commit.version in there]
    older = segment.checkpoint is not None or segment.first_version < whole
    if len(seen) < len(told) or (len(seen) > len(told) and not older):
        findings.doubt(Doubt(snapshot.version, "commit", None, f"{len(seen)} commits", f"{len(told)} commits"))
        return
    for commit, expected in zip(
        told, seen, strict=False
    ):  # delta-rs also shows what is left of commits below the floor
        theirs, ours = _noted(expected), _noted(json.loads(commit.commit_info or "{}"))
        if theirs != ours:
            findings.doubt(Doubt(commit.version, "commit", None, theirs, ours))


def _noted(info: Any) -> dict[str, Any]:
    """Returns what a writer noted: without the version, which delta-rs adds, and nulls, of which it drops some."""
    noted = info if isinstance(info, dict) else {}
    return {name: value for name, value in noted.items() if name != "version" and value is not None}


def compare_state_with_delta_rs(table: DeltaTable, snapshot: Snapshot, findings: Findings) -> None:
    """Compares the metadata, protocol and transactions of a version.

    delta-rs takes metadata and protocol from a checksum where there is one: not for a version whose checksum is known
    to be another table's.
    """
    version, row, protocol = snapshot.version, snapshot.metadata(), snapshot.protocol()
    seen = table.metadata()
    if row is None or protocol is None:
        findings.doubt(Doubt(version, "metadata" if row is None else "protocol", None, "one", None))
        return
    metadata = metadata_of(row)
    for kind, name, expected in (
        ("metadata", "id", seen.id),
        ("metadata", "name", seen.name),
        ("metadata", "description", seen.description),
        ("metadata", "partitionColumns", seen.partition_columns),
        ("metadata", "createdTime", seen.created_time),
        ("configuration", "configuration", seen.configuration),
        ("schema", "schemaString", json.loads(table.schema().to_json())),
    ):
        actual = parsed_json(metadata[name]) if kind == "schema" else metadata[name]
        if (expected or None) != (actual or None):
            findings.doubt(Doubt(version, kind, None, {name: expected}, {name: actual}))
    _compare_protocol(table, protocol_of(protocol), version, findings)
    for txn in snapshot.transactions():
        expected = table.transaction_version(txn.app_id)
        if expected is not None and expected != txn.txn_version:  # None: it has expired
            told, found = ({"appId": txn.app_id, "version": number} for number in (expected, txn.txn_version))
            findings.doubt(Doubt(version, "txn", None, told, found))


def _compare_protocol(table: DeltaTable, actual: dict[str, Any], version: int, findings: Findings) -> None:
    seen = table.protocol()
    expected = {
        "minReaderVersion": seen.min_reader_version,
        "minWriterVersion": seen.min_writer_version,
        "readerFeatures": sorted(seen.reader_features or ()),
        "writerFeatures": sorted(seen.writer_features or ()),
    }
    found = {name: actual[name] for name in expected}
    for name in ("readerFeatures", "writerFeatures"):
        found[name] = sorted(found[name] or ())
    if expected != found:
        findings.doubt(Doubt(version, "protocol", None, expected, found))
