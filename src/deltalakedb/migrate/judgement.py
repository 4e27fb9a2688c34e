"""Who is right where delta-rs shows something else than SQL: what the log's own text says.

delta-rs starts at a checkpoint and may take statistics, metadata or a protocol from structs and checksums that other
writers made of the log. So it accuses SQL only where the second reading of the log doesn't confirm what SQL says, and
where the two see other files: then the checkpoint that contradicts its commits is named, if it is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ..catalog.files import lifetimes_of
from ..catalog.registry import TableEntry
from ..catalog.snapshot import snapshot
from ..log.path import commit_name
from ..log.reader import Log, newest_checkpoint
from ..log.segment import Checkpoint
from .against_checksums import state_of_catalog, state_of_log
from .checkpoint_sums import BUCKETS, KeySums
from .differences import CHECKPOINT, LIMIT, Doubt, Findings
from .facts import canonical, parsed_json, path_digest
from .files_against_delta_rs import inner
from .second_files import checkpoint_keys
from .second_reading import Life, Reading, Scope, read_files

_LOOKED_UP = 1000
"""So many files of which nobody has confirmed the statistics are looked up in the log; others are as these are."""

_KEPT_BY_CHECKPOINTS = frozenset({"size", "modification_time", "partition_values", "deletion_vector"})
"""Kinds that the second reading compares of every file, however little the log knows of it by now."""

_OF_METADATA = ("metadata", "schema", "configuration")


class _Where(NamedTuple):
    """A file that is active at a version, on one of two sides."""

    path: str
    deletion_vector_id: str | None


@dataclass(slots=True)
class _Note:
    """The first doubt of a kind that the log's own text settles, and how many its version has."""

    text: str
    version: int
    count: int = 0


class Judgement:
    """Decides doubts about one table, version by version; what is confirmed becomes a note.

    Args:
        connection: to the catalog.
        entry: the table.
        log: its log.
        scope: which of its files are compared.
        reading: the second reading of them, which has been compared.
        findings: gets what comes of the doubts.
        reader: who has them.
    """

    def __init__(
        self,
        connection: Connection,
        entry: TableEntry,
        log: Log,
        scope: Scope,
        reading: Reading,
        findings: Findings,
        reader: str,
    ) -> None:
        self._connection = connection
        self._entry = entry
        self._log = log
        self._scope = scope
        self._reading = reading
        self._findings = findings
        self._reader = reader
        self._commits = {commit.version for commit in scope.segment.commits}
        self._about_files: list[Doubt] = []
        self._unconfirmed: list[Doubt] = []
        self._further = 0
        self._notes: dict[str, _Note] = {}
        self._compared: set[str] = set()

    def hear(self, doubt: Doubt) -> None:
        """Decides a doubt, or sets it aside until its version is settled."""
        if doubt.is_about_files:
            if len(self._about_files) < LIMIT:
                self._about_files.append(doubt)
            else:
                self._findings.left_out += 1
        elif doubt.path is None:
            self._decide(doubt, self._state_source(doubt))
        elif doubt.kind in _KEPT_BY_CHECKPOINTS or not self._scope.reduces(doubt.added_version):
            self._decide(doubt, self._source_of(doubt.added_version))
        elif len(self._unconfirmed) < _LOOKED_UP:
            self._unconfirmed.append(doubt)
        else:
            self._further += 1

    def settle(self, version: int) -> None:
        """Decides what has been set aside of a version."""
        doubts, self._about_files = self._about_files, []
        if doubts:
            self._settle_files(version, doubts)
        self._settle_facts()

    def finish(self) -> None:
        """Notes what the log's own text has settled."""
        for note in self._notes.values():
            self._findings.note(note.text + (f" ({note.count:,} such in all)" if note.count > 1 else ""))

    def compare_checkpoint(self, version: int) -> None:
        """Compares the checkpoint at which readers of a version start with its commits, as SQL has them."""
        checkpoint = self._start(version)
        if checkpoint is None or self._is_floor(checkpoint) or checkpoint.name in self._compared:
            return
        self._compared.add(checkpoint.name)
        sums = KeySums(), KeySums()
        sums[0].add(map(hash, self._in_checkpoint(checkpoint)))
        sums[1].add(map(hash, self._in_sql(checkpoint.version)))
        buckets = sums[0].differ(sums[1])
        if buckets:
            theirs = {file for file in self._in_checkpoint(checkpoint) if hash(file) % BUCKETS in buckets}
            ours = {file for file in self._in_sql(checkpoint.version) if hash(file) % BUCKETS in buckets}
            self._differ(checkpoint, theirs, ours)

    def _in_checkpoint(self, checkpoint: Checkpoint) -> Iterator[_Where]:
        return (_Where(*file) for file in checkpoint_keys(self._log, checkpoint))

    def _in_sql(self, version: int) -> Iterator[_Where]:
        at = snapshot(self._connection, self._entry, version)
        return (_Where(*row[:2]) for piece in at.file_columns(_Where._fields) for row in piece)

    # ---- which files there are

    def _settle_files(self, version: int, doubts: list[Doubt]) -> None:
        """Names the checkpoint, where that is why two readers don't see the same files."""
        paths = sorted({doubt.path for doubt in doubts if doubt.path is not None})
        checkpoint = self._start(version)
        explained = set[str]()
        if checkpoint is not None and not self._is_floor(checkpoint):
            wanted = set(paths)
            theirs = {file for file in self._in_checkpoint(checkpoint) if file.path in wanted}
            ours = set(self._active(paths, checkpoint.version))
            explained = self._differ(checkpoint, theirs, ours)
        for doubt in doubts:
            if doubt.path not in explained:
                self._findings.add(*doubt[:5], again=True)

    def _differ(self, checkpoint: Checkpoint, theirs: set[_Where], ours: set[_Where]) -> set[str]:
        """Adds a difference for each path of which a checkpoint has other files than its commits; returns the paths."""
        paths = sorted({file.path for file in theirs ^ ours})
        sources = self._last_words(paths[:_LOOKED_UP], checkpoint.version)
        vectors = [_vectors_by_path(files, set(paths)) for files in (theirs, ours)]
        for path in paths:
            expected = _side(checkpoint.name, vectors[0].get(path))
            actual = _side(self._source_of(sources.get(path)), vectors[1].get(path))
            values = checkpoint.version, CHECKPOINT, path, expected, actual
            self._findings.add(*values, source=checkpoint.name, again=True)
        return set(paths)

    def _active(self, paths: list[str], version: int) -> Iterator[_Where]:
        for path, vector, added, _ in lifetimes_of(self._connection, self._entry.table_id, paths, version):
            if added <= version:
                yield _Where(path, vector)

    def _last_words(self, paths: list[str], version: int) -> dict[str, int]:
        """Returns the versions that say last, up to a version, what becomes of paths."""
        said: dict[str, int] = {}
        for path, _, added, ended in lifetimes_of(self._connection, self._entry.table_id, paths, -1):
            known = [at for at in (added, ended) if at is not None and at <= version]
            said[path] = max(said.get(path, -1), *known, -1)
        return said

    def _start(self, version: int) -> Checkpoint | None:
        return newest_checkpoint(self._log, self._scope.segment.first_version, version)

    def _is_floor(self, checkpoint: Checkpoint) -> bool:
        floor = self._scope.segment.checkpoint
        return floor is not None and floor.version == checkpoint.version

    # ---- what is said of files

    def _settle_facts(self) -> None:
        """Looks up in the log what nobody has confirmed: there, files at the floor are compared by little."""
        doubts, self._unconfirmed = self._unconfirmed, []
        further, self._further = self._further, 0
        if not doubts:
            return
        whole = self._scope.whole()
        wanted = {path_digest(doubt.path) for doubt in doubts if doubt.path is not None}
        lives: dict[str, list[Life]] = {}
        for life in read_files(self._log, whole, wanted):
            lives.setdefault(life.path, []).append(life)
        accused = 0
        for doubt in doubts:
            confirming = (life for life in lives.get(doubt.path or "", ()) if _confirms(life, doubt))
            source = next((life.source for life in confirming), None)
            accused += source is None
            self._decide(doubt, source)
        if accused:
            self._findings.left_out += further

    # ---- everything else

    def _state_source(self, doubt: Doubt) -> str | None:
        """Returns the file of the log that says what SQL says; None where none does."""
        if doubt.kind == "commit":
            return self._commit_source(doubt)
        at = snapshot(self._connection, self._entry, doubt.version)
        in_log, in_sql = state_of_log(self._reading, doubt.version), state_of_catalog(at)
        if doubt.kind in _OF_METADATA:
            name = next(iter(doubt.actual), "") if isinstance(doubt.actual, dict) else ""
            theirs, ours = ((state["metadata"] or {}).get(name) for state in (in_log, in_sql))
            same, key = ours is not None and _value(theirs) == _value(ours), "metaData"
        elif doubt.kind == "protocol":
            same, key = in_log["protocol"] == in_sql["protocol"], "protocol"
        else:
            app = doubt.actual["appId"] if isinstance(doubt.actual, dict) else None
            theirs, ours = (state["setTransactions"].get(app) for state in (in_log, in_sql))
            return self._newest_source("txn", doubt.version, app) if theirs == ours else None
        return self._newest_source(key, doubt.version) if same else None

    def _commit_source(self, doubt: Doubt) -> str | None:
        version = doubt.version
        commit = self._reading.commits.get(version)
        rows = snapshot(self._connection, self._entry, version).commits(limit=1)
        if commit is None or not rows or rows[0].version != version:
            return None
        return commit_name(version) if commit.info == parsed_json(rows[0].commit_info) else None

    def _newest_source(self, name: str, version: int, app: str | None = None) -> str | None:
        sources = {
            key if app is None else key[1]: file
            for (said, key), file in self._reading.sources.items()
            if said == name and (app is None or key[0] == app)
        }
        newest = max((at for at in sources if at <= version), default=None)
        return None if newest is None else sources[newest]

    def _source_of(self, version: int | None) -> str | None:
        """Returns the file of the log that says what a version adds."""
        if version is None or version < 0:
            return None
        segment = self._scope.segment
        if version in self._commits and (segment.checkpoint is None or version > segment.first_version):
            return commit_name(version)
        return None if segment.checkpoint is None else segment.checkpoint.name

    def _decide(self, doubt: Doubt, source: str | None) -> None:
        """Adds a difference where no file of the log says what SQL says, else a note on the first of a kind."""
        if source is None:
            self._findings.add(*doubt[:5], again=True)
            return
        note = self._notes.get(doubt.kind)
        if note is None:
            note = self._notes[doubt.kind] = _Note(self._text(doubt, source), doubt.version)
        note.count += note.version == doubt.version

    def _text(self, doubt: Doubt, source: str) -> str:
        start = self._start(doubt.version)
        begins = "" if start is None else f"; it starts at {start.name}"
        of = "" if doubt.path is None else f" of {doubt.path}"
        what = doubt.kind.replace("_", " ")
        return (
            f"{self._reader} shows another {what}{of} than {source}, which SQL agrees with: "
            f"{doubt.expected} in place of {doubt.actual}{begins}"
        )


def _vectors_by_path(files: set[_Where], paths: set[str]) -> dict[str, list[str | None]]:
    vectors: dict[str, list[str | None]] = {}
    for file in files:
        if file.path in paths:
            vectors.setdefault(file.path, []).append(file.deletion_vector_id)
    return vectors


def _side(source: str | None, vectors: list[str | None] | None) -> dict[str, Any]:
    """Returns what one side says of a path: whether it is active, and under which deletion vectors."""
    said: dict[str, Any] = {"file": source, "active": vectors is not None}
    named = sorted(vector for vector in vectors or () if vector is not None)
    return said | ({"deletion_vectors": named} if named else {})


def _value(value: Any) -> Any:
    """Returns what a text of JSON says; anything else as it is."""
    return parsed_json(value) if isinstance(value, str) else value


def _confirms(life: Life, doubt: Doubt) -> bool:
    """Tells whether a file's own text in the log says what SQL says of it."""
    if life.added is None or life.added > doubt.version or (life.ended is not None and life.ended <= doubt.version):
        return False
    if doubt.kind == "num_records":
        return life.facts.num_records == doubt.actual
    stats = parsed_json(life.facts.stats) if isinstance(life.facts.stats, str) else life.facts.stats
    ours = next(iter(doubt.actual.values()), None) if isinstance(doubt.actual, dict) else doubt.actual
    return bool(canonical(inner(stats, doubt.field)) == canonical(ours))
