"""A second reading of a log, for validations: everything that is in it, by other means than those of an import.

Only the listing and the choice of files are shared with imports. Decoding is orjson, plain `json` and pyarrow's
`to_pylist`, and the replay goes forwards, one action after the other (PROTOCOL.md, "Action Reconciliation"), so that a
mistake of the import's reader or replay is not made twice.

    read(…)          ─▶ Reading: sums of digests of file lifetimes, and every other action as it stands in the log
    read_digests(…)  ─▶ the digests one by one, for the sums that SQL does not have
    read_files(…)    ─▶ the lifetimes themselves, for the few files that a validation has to look at
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..log.path import LogFile
from ..log.reader import Log, expect
from ..log.segment import LogSegment
from .facts import (
    ADD_FIELDS,
    PATH_DIGEST,
    REMOVE_FIELDS,
    Action,
    Actions,
    FileFacts,
    Sums,
    facts_of_add,
    facts_of_tombstone,
    life_digest,
    parsed_json,
    path_digest,
    pile_of,
    tidy,
    vector_id,
    whole,
)
from .second_decoding import Named
from .second_files import Each, checkpoint_actions, commit_actions, understood


class Life(NamedTuple):
    """A file from the version that adds it to the version that ends it.

    `added` is None for a tombstone whose file the log does not add: the facts are the remove's then. `remove` is None
    for a file that is live, or was added again without a remove; its path is left out. `source` is the file of the log
    that tells the facts, `end_source` the one that tells its end; both are None for a row of SQL.
    """

    path: str
    added: int | None
    ended: int | None
    facts: FileFacts
    remove: Action | None
    source: str | None = None
    end_source: str | None = None

    def digest(self, salt: bytes) -> bytes:
        """Returns its `facts.life_digest`."""
        return life_digest(self.facts.digest(self.path, self.added, salt), self.ended, self.remove, salt)


class Totals(NamedTuple):
    """What a version's files amount to: sizes in bytes, deleted rows as deletion vectors tell them."""

    files: int
    size: int
    vectors: int
    deleted: int


@dataclass(slots=True)
class Commit:
    """What a commit says beside its files.

    `states` are the names of its actions about the table's state, with whose they are; `others` is what the protocol
    doesn't know, or what is there twice.
    """

    info: Any = None
    states: set[tuple[str, str | None]] = field(default_factory=set)
    others: list[Action] = field(default_factory=list)
    cdc: list[Action] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """A log, read. Dictionaries are keyed by version, or by a name and version.

    `sums` are of file lifetimes, `own` is of the file actions of the commit at a floor that has a checkpoint. `unsure`
    are the paths and the actions of which one commit says two things, which the protocol forbids: a file that is both
    added and removed is taken as added, of two adds the first counts, of other actions the last. `sources` are the
    files of the log that say the metadata, protocols, transactions and domains, by the action's name and the key of its
    dictionary. `notes` say where the floor's own commit and its checkpoint don't agree.
    """

    own: Actions
    sums: Sums = field(default_factory=Sums)
    unsure: set[str] = field(default_factory=set)
    commits: dict[int, Commit] = field(default_factory=dict)
    metadata: dict[int, Action] = field(default_factory=dict)
    protocols: dict[int, Action] = field(default_factory=dict)
    sources: dict[tuple[str, Any], str] = field(default_factory=dict)
    transactions: dict[tuple[str, int], Action] = field(default_factory=dict)
    domains: dict[tuple[str, int], Action] = field(default_factory=dict)
    checkpoint_others: list[Action] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    totals: dict[int, Totals] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which files of a log are read, and from which version on they are compared.

    `floor` is the later of the log's floor and the catalog's. Where the two differ, one side knows of the files at
    the floor no more than a checkpoint keeps: they are compared by that, and as added at the floor. `salt` is that of
    the digests which are compared (facts.life_digest).
    """

    segment: LogSegment
    floor: int
    floors_differ: bool
    salt: bytes = field(default_factory=lambda: os.urandom(16))

    def reduces(self, added: int | None) -> bool:
        """Tells whether of a file added at a version only what a checkpoint keeps is compared."""
        return self.floors_differ and added is not None and added <= self.floor

    def reduced(self, added: int | None, facts: FileFacts) -> tuple[int | None, FileFacts]:
        """Returns the version from which on a file counts as added, and what of it is compared."""
        return (self.floor, facts.reduced()) if self.reduces(added) else (added, facts)

    def whole(self) -> Scope:
        """Returns the same log with all that it says of each file."""
        return Scope(self.segment, self.segment.first_version, floors_differ=False, salt=self.salt)

    def covers(self, ended: int | None) -> bool:
        """Tells whether a file that ended at a version is compared."""
        return not self.floors_differ or ended is None or ended > self.floor


def read(log: Log, scope: Scope, *, totals_at: Collection[int] = (), each: Each | None = None) -> Reading:
    """Reads a log once, from its floor to its newest version; `each` is called when a file has been read.

    Memory holds about 180 bytes a live file, and 80 more where totals are asked for.

    Raises:
        CorruptLogError, StorageError: a file can't be read.
    """
    reading = Reading(Actions(scope.salt))
    add, salt = reading.sums.add, scope.salt

    def pack(path: str, added: int | None, facts: FileFacts) -> bytes:
        return facts.digest(path, added, salt)

    def keep(key: bytes, ended: int | None, file: bytes, remove: Action | None) -> None:
        add(key, life_digest(file, ended, remove, salt))

    _run(log, _Replay(scope, reading, pack, keep, has_totals=bool(totals_at)), totals_at, each)
    return reading


@dataclass(slots=True)
class Digests:
    """How often each lifetime is in a log, and whether some file's statistics are structs only.

    What stands for a lifetime is the digest of its path, and its `facts.life_digest`.
    """

    lives: Counter[bytes] = field(default_factory=Counter)
    has_parsed_stats: bool = False


def read_digests(log: Log, scope: Scope, piles: Collection[int]) -> Digests:
    """Returns the digests of some piles of facts.Sums; reads the log anew.

    Memory holds about 180 bytes a live file of these, and 150 bytes a removed one.
    """
    found = Digests()

    def pack(path: str, added: int | None, facts: FileFacts) -> bytes:
        found.has_parsed_stats |= isinstance(facts.stats, dict)
        return facts.digest(path, added, scope.salt)

    def keep(key: bytes, ended: int | None, file: bytes, remove: Action | None) -> None:
        found.lives[key[:PATH_DIGEST] + life_digest(file, ended, remove, scope.salt)] += 1

    _run(
        log,
        _Replay(scope, Reading(Actions(scope.salt)), pack, keep, only=lambda path: pile_of(path) in piles),
        (),
        None,
    )
    return found


def read_files(log: Log, scope: Scope, paths: Collection[bytes]) -> list[Life]:
    """Returns the lifetimes of the files whose path has one of the given digests; reads the log anew."""
    lives: list[Life] = []

    def pack(path: str, added: int | None, facts: FileFacts) -> Life:
        return Life(path, added, None, facts, None, replay.source)

    def keep(_key: bytes, ended: int | None, life: Life, remove: Action | None) -> None:
        end_source = None if ended is None else replay.source
        lives.append(life._replace(ended=ended, remove=remove, end_source=end_source))

    replay = _Replay(scope, Reading(Actions(scope.salt)), pack, keep, only=paths.__contains__)
    _run(log, replay, (), None)
    return lives


def _run(log: Log, replay: _Replay, totals_at: Collection[int], each: Each | None) -> None:
    segment = replay.scope.segment
    above = [commit for commit in segment.commits if commit is not segment.own_commit]
    expect(log, (*segment.floor_files, *above))
    if segment.checkpoint is not None:
        if segment.own_commit is not None:
            with replay.reading(segment.own_commit):
                replay.floor_commit(segment.first_version, commit_actions(log, segment.own_commit, each))
        for file in segment.checkpoint.files:
            with replay.reading(file):
                replay.checkpoint(segment.first_version, checkpoint_actions(log, file, each))
        replay.end_floor(segment.first_version)
        replay.note_totals(segment.first_version, totals_at)
    for commit in above:
        with replay.reading(commit):
            replay.commit(commit.version, commit_actions(log, commit, each))
        replay.note_totals(commit.version, totals_at)
    replay.finish()


_New = tuple[Any, int, int | None]
"""What is held of a file, its size in bytes, and how many rows its deletion vector deletes: None without one."""

Keep = Callable[[bytes, int | None, Any, Action | None], None]
_STATE = ("metaData", "protocol", "txn", "domainMetadata")


class _Replay:
    """Live files and latest state, moved on action by action.

    `pack` makes of a path, the version that adds it, and facts what is held of a file; `keep` gets every lifetime as
    soon as its end is known. `source` is the name of the file that is being read.
    """

    def __init__(
        self,
        scope: Scope,
        reading: Reading,
        pack: Callable[[str, int | None, FileFacts], Any],
        keep: Keep,
        *,
        only: Callable[[bytes], bool] | None = None,
        has_totals: bool = False,
    ) -> None:
        self.scope = scope
        self.source = ""
        self._reading = reading
        self._pack = pack
        self._keep = keep
        self._only = only
        self._live: dict[bytes, Any] = {}
        self._sizes: dict[bytes, int | tuple[int, int]] | None = {} if has_totals else None
        self._removed_at_floor: set[bytes] = set()
        self._added_at_floor: dict[bytes, _New] = {}
        self._kept_at_floor = 0
        self._settled: set[tuple[str, Any]] = set()
        self._size = self._vectors = self._deleted = 0

    @contextmanager
    def reading(self, file: LogFile) -> Iterator[None]:
        """Says which file is being read until the end; raises as `second_files.understood`."""
        self.source = file.name
        with understood(file):
            yield

    def commit(self, version: int, actions: Iterable[Named]) -> None:
        """Applies a commit: its removes as they come, its adds after all of them."""
        added = self._apply(version, actions)
        for key, new in added.items():
            if key in self._live:
                self._end(key, version, None)
            self._begin(key, new)

    def floor_commit(self, version: int, actions: Iterable[Named]) -> None:
        """Applies the commit of the version that the log's checkpoint stands for; it comes before the checkpoint.

        What it adds counts only where the checkpoint has it, too: that is where readers begin.
        """
        self._added_at_floor = self._apply(version, actions, self._reading.own.remove)
        for key in self._added_at_floor:
            self._reading.own.add(key)

    def checkpoint(self, version: int, actions: Iterable[Named]) -> None:
        """Adds a checkpoint's state; of what the floor's own commit says, too, that one's words are taken."""
        for name, body in actions:
            if name == "add":
                key = self._key(body)
                if key is not None and key not in self._live:
                    if key in self._removed_at_floor and key not in self._added_at_floor:
                        self._kept_at_floor += 1
                    own = self._added_at_floor.pop(key, None)
                    self._begin(key, own or self._new(body, version))
            elif name == "remove":
                key = self._key(body)
                if key is not None and key not in self._removed_at_floor:
                    self._tombstone(key, body, version)
            elif name in _STATE:
                self._state_at_floor(name, body, version)
            else:
                self._reading.checkpoint_others.append({name: body})

    def end_floor(self, version: int) -> None:
        """Gives up what only the floor's own commit adds: it is in no version."""
        for key, (what, _size, _deleted) in self._added_at_floor.items():
            if self.scope.covers(version):
                self._keep(key, version, what, None)
        lacking, having = len(self._added_at_floor), self._kept_at_floor
        own = self.scope.segment.own_commit
        if own is not None and (lacking or having):
            self._reading.notes.append(
                f"{self.source} lacks {lacking} of the files that {own.name} adds and has {having} of those that it "
                "removes: readers start at the checkpoint, and so does SQL"
            )
        self._added_at_floor.clear()

    def finish(self) -> None:
        """Gives up the files that are live at the end."""
        while self._live:
            key, what = self._live.popitem()
            self._keep(key, None, what, None)

    def note_totals(self, version: int, wanted: Collection[int]) -> None:
        if version in wanted:
            self._reading.totals[version] = Totals(len(self._live), self._size, self._vectors, self._deleted)

    def _apply(
        self, version: int, actions: Iterable[Named], each_remove: Callable[[bytes], None] | None = None
    ) -> dict[bytes, _New]:
        """Applies all but the adds, which it returns; of two adds of one file the first counts."""
        commit = self._reading.commits[version] = Commit()
        added: dict[bytes, _New] = {}
        both: dict[bytes, str] = {}
        for name, body in actions:
            if body is None and name in (*_STATE, "add", "remove", "cdc", "commitInfo"):
                continue
            if name == "add":
                key = self._key(body)
                if key is not None and key in added:
                    commit.others.append({name: tidy(body, ADD_FIELDS)})
                    self._reading.unsure.add(body["path"])
                elif key is not None:
                    added[key] = self._new(body, version)
            elif name == "remove":
                key = self._remove(body, version)
                if key is not None:
                    both[key] = body["path"]
                    if each_remove is not None:
                        each_remove(key)
            else:
                self._note(commit, name, body, version)
        self._reading.unsure.update(both[key] for key in both.keys() & added.keys())
        return added

    def _note(self, commit: Commit, name: str, body: Any, version: int) -> None:
        if name == "cdc":
            commit.cdc.append(body)
        elif name == "commitInfo":
            if commit.info is not None:
                self._reading.unsure.add(name)
                commit.others.append({name: commit.info})
            commit.info = body
        elif name in _STATE:
            commit.states.add(_named(name, body))
            before = self._state(name, body, version)
            if before is not None:
                self._reading.unsure.add(name)
                commit.others.append({name: before})
        else:
            commit.others.append({name: body})

    def _state(self, name: str, body: Action, version: int) -> Action | None:
        """Notes state; returns what the same version has said before."""
        states, key = self._place(name, body, version)
        before = states.get(key)
        states[key] = body
        self._reading.sources[name, key] = self.source
        return before

    def _state_at_floor(self, name: str, body: Action, version: int) -> None:
        """Notes state of the checkpoint, unless the floor's own commit, or an earlier part, means the same."""
        states, key = self._place(name, body, version)
        before = states.get(key)
        if before is None:
            self._state(name, body, version)
        elif (name, key) not in self._settled and _meaning(name, before) != _meaning(name, body):
            commit = self._reading.commits[version]
            commit.others.append({name: before})
            commit.states.discard(_named(name, before))
            self._state(name, body, version)
        self._settled.add((name, key))

    def _place(self, name: str, body: Action, version: int) -> tuple[dict[Any, Action], Any]:
        reading = self._reading
        match name:
            case "metaData":
                return reading.metadata, version
            case "protocol":
                return reading.protocols, version
            case "txn":
                return reading.transactions, (body["appId"], version)
            case _:
                return reading.domains, (body["domain"], version)

    def _key(self, body: Action) -> bytes | None:
        """Returns what stands for a file: its path, and its deletion vector's id; None for one that nobody wants."""
        path = path_digest(body["path"])
        if self._only is not None and not self._only(path):
            return None
        vector = vector_id(body.get("deletionVector"))
        return path if vector is None else path + path_digest(vector)

    def _new(self, body: Action, version: int) -> _New:
        added, facts = self.scope.reduced(version, facts_of_add(body))
        vector = facts.deletion_vector
        deleted = None if vector is None else whole(vector.get("cardinality")) or 0
        return self._pack(body["path"], added, facts), facts.size or 0, deleted

    def _begin(self, key: bytes, new: _New) -> None:
        self._live[key], size, deleted = new
        if self._sizes is not None:
            self._sizes[key] = size if deleted is None else (size, deleted)
            self._count(size, deleted, 1)

    def _count(self, size: int, deleted: int | None, sign: int) -> None:
        self._size += sign * size
        if deleted is not None:
            self._vectors += sign
            self._deleted += sign * deleted

    def _remove(self, body: Action, version: int) -> bytes | None:
        key = self._key(body)
        if key is None:
            return None
        if version == self.scope.segment.first_version:
            self._removed_at_floor.add(key)
        if not self._end(key, version, body):
            self._tombstone(key, body, version)
        return key

    def _end(self, key: bytes, version: int, remove: Action | None) -> bool:
        """Ends a live file; tells whether there was one."""
        what = self._live.pop(key, None)
        if what is None:
            return False
        if self._sizes is not None:
            told = self._sizes.pop(key)
            size, deleted = told if isinstance(told, tuple) else (told, None)
            self._count(size, deleted, -1)
        if self.scope.covers(version):
            self._keep(key, version, what, _pathless(remove))
        return True

    def _tombstone(self, key: bytes, body: Action, version: int) -> None:
        if self.scope.covers(version):
            what = self._pack(body["path"], None, facts_of_tombstone(body))
            self._keep(key, version, what, _pathless(body))


def _pathless(remove: Action | None) -> Action | None:
    if remove is None:
        return None
    return {name: value for name, value in tidy(remove, REMOVE_FIELDS).items() if name != "path"}


def _named(name: str, body: Action) -> tuple[str, str | None]:
    """Returns an action's name, with whose it is where a version may have several."""
    return name, body.get("appId", body.get("domain"))


def _meaning(name: str, body: Action) -> Any:
    """Returns what readers make of an action of state, however it is spelled."""
    told = {field: value for field, value in body.items() if value not in (None, "", [], {}, False)}
    match name:
        case "metaData":
            told["schemaString"] = parsed_json(told.get("schemaString"))
            return {field: told.get(field) for field in _OF_METADATA}
        case "protocol":
            lists = (frozenset(told.get(field, ())) for field in ("readerFeatures", "writerFeatures"))
            return whole(told.get("minReaderVersion")), whole(told.get("minWriterVersion")), *lists
        case "txn":
            return whole(told.get("version"))
    return told.get("configuration"), told.get("removed")


_OF_METADATA = ("id", "name", "description", "schemaString", "partitionColumns", "configuration")
