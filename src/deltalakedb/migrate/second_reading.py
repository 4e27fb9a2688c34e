"""A second reading of a log, for validations: everything that is in it, by other means than those of an import.

Only the listing and the choice of files are shared with imports. Decoding is orjson, plain `json` and pyarrow's
`to_pylist`, and the replay goes forwards, one action after the other (PROTOCOL.md, "Action Reconciliation"), so that a
mistake of the import's reader or replay is not made twice.

    read(…)          ─▶ Reading: sums of digests of file lifetimes, and every other action as it stands in the log
    read_digests(…)  ─▶ the digests one by one, for the sums that SQL does not have
    read_files(…)    ─▶ the lifetimes themselves, for the few files that a validation has to look at
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from ..log.reader import Log, expect
from .facts import PATH_DIGEST, Action, Actions, FileFacts, life_digest, pile_of
from .second_files import Each, checkpoint_actions, commit_actions
from .second_replay import SecondReplay
from .second_types import Commit, Life, Reading, Scope, Totals

__all__ = ["Commit", "Digests", "Life", "Reading", "Scope", "Totals", "read", "read_digests", "read_files"]


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

    _run(log, SecondReplay(scope, reading, pack, keep, has_totals=bool(totals_at)), totals_at, each)
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
        SecondReplay(scope, Reading(Actions(scope.salt)), pack, keep, only=lambda path: pile_of(path) in piles),
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

    replay = SecondReplay(scope, Reading(Actions(scope.salt)), pack, keep, only=paths.__contains__)
    _run(log, replay, (), None)
    return lives


def _run(log: Log, replay: SecondReplay, totals_at: Collection[int], each: Each | None) -> None:
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
