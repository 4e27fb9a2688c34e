"""The second reading's replay: forwards, one action after the other (PROTOCOL.md, "Action Reconciliation")."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..log.path import LogFile
from .facts import (
    ADD_FIELDS,
    REMOVE_FIELDS,
    Action,
    FileFacts,
    facts_of_add,
    facts_of_tombstone,
    parsed_json,
    path_digest,
    tidy,
    vector_id,
    whole,
)
from .second_decoding import Named
from .second_files import understood
from .second_types import Commit, Reading, Scope, Totals

_New = tuple[Any, int, int | None]
"""What is held of a file, its size in bytes, and how many rows its deletion vector deletes: None without one."""

Keep = Callable[[bytes, int | None, Any, Action | None], None]
_STATE = ("metaData", "protocol", "txn", "domainMetadata")


class SecondReplay:
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
