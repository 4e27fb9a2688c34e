"""What the second reading of a log finds, and which part of the log it is of."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..log.segment import LogSegment
from .facts import Action, Actions, FileFacts, Sums, life_digest


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
