"""Which files of a listing rebuild which versions. Pure.

Source: PROTOCOL.md, "Delta Log Entries" and "Checkpoints". The listing decides, never `_last_checkpoint`, which may be
missing, stale or wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..errors import LogGapError, NotADeltaTableError, VersionNotFoundError
from .path import LogFile, LogFileKind, commit_name


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of one checkpoint: a single one, or all parts of a multi-part one in their order."""

    version: int
    files: tuple[LogFile, ...]

    @property
    def name(self) -> str:
        """The name of its first file, for messages."""
        return self.files[0].name


@dataclass(frozen=True, slots=True)
class LogSegment:
    """The files from which every version from the floor to the newest can be rebuilt.

    Attributes:
        first_version: the floor: 0, or the version of the checkpoint.
        version: the newest version.
        checkpoint: the checkpoint at the floor; None where the log begins with version 0.
        commits: the commits above the floor in ascending order, with the floor's own commit where it is there.
        checksums: the `.crc` files from the floor on.
    """

    first_version: int
    version: int
    checkpoint: Checkpoint | None
    commits: tuple[LogFile, ...]
    checksums: tuple[LogFile, ...] = ()

    @property
    def own_commit(self) -> LogFile | None:
        """The commit of the checkpoint's own version; None where it is gone, or the log begins with no checkpoint."""
        first = self.commits[0] if self.checkpoint is not None and self.commits else None
        return first if first is not None and first.version == self.first_version else None

    @property
    def floor_files(self) -> tuple[LogFile, ...]:
        """The files of the version that it begins with: its own commit if any, then the checkpoint."""
        own = () if self.own_commit is None else (self.own_commit,)
        return (*own, *(self.checkpoint.files if self.checkpoint is not None else ()))

    @property
    def files(self) -> tuple[LogFile, ...]:
        """All its files that are named in the listing (sidecars are not) but for the checksums."""
        return self.commits + (self.checkpoint.files if self.checkpoint else ())

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(file.size for file in self.files)

    def check(self, version: int) -> None:
        """Raises VersionNotFoundError where `version` can't be rebuilt."""
        if version < self.first_version:
            raise VersionNotFoundError(
                f"Version {version} is below the floor: the log begins with version {self.first_version}",
                "Older history was cleaned up by the table's writer.",
            )
        if version > self.version:
            raise VersionNotFoundError(f"Version {version} does not exist: the newest is {self.version}")


@dataclass(slots=True)
class _Shelf:
    """A listing, sorted by kind."""

    commits: dict[int, LogFile] = field(default_factory=dict)
    checkpoints: dict[int, list[Checkpoint]] = field(default_factory=dict)
    checksums: list[LogFile] = field(default_factory=list)


def candidates(files: Iterable[LogFile], to_version: int | None = None) -> Iterator[LogSegment]:
    """Yields the segments that the listing allows, the longest history first.

    A caller takes the first whose checkpoint turns out to be complete. With `to_version`, newer files are passed over.

    Raises:
        NotADeltaTableError: neither a commit nor a checkpoint is there.
        LogGapError: a commit is missing and no candidate is left that does without it.
    """
    shelf = _sort(file for file in files if to_version is None or file.version <= to_version)
    if not shelf.commits and not shelf.checkpoints:
        raise NotADeltaTableError(
            "No checkpoint or JSON files found", "Give the folder that holds _delta_log, or restore its files."
        )
    newest = max(*shelf.commits, *shelf.checkpoints, -1, -1)
    first = _first_contiguous(shelf.commits, newest)
    if first == 0:
        yield _segment(shelf, 0, newest, None)
    for version in sorted(shelf.checkpoints):
        if version >= first - 1:
            for checkpoint in shelf.checkpoints[version]:
                yield _segment(shelf, version, newest, checkpoint)
    raise _no_start(shelf, first)


def checkpoints(files: Iterable[LogFile], first: int, last: int) -> Iterator[Checkpoint]:
    """Yields a listing's checkpoints of the versions from `first` to `last`, the newest first."""
    shelf = _sort(files)
    for version in sorted(shelf.checkpoints, reverse=True):
        if first <= version <= last:
            yield from shelf.checkpoints[version]


def _sort(files: Iterable[LogFile]) -> _Shelf:
    shelf, parts = _Shelf(), dict[tuple[int, int], dict[int, LogFile]]()
    for file in files:
        if file.kind is LogFileKind.COMMIT:
            shelf.commits[file.version] = file
        elif file.kind is LogFileKind.CHECKSUM:
            shelf.checksums.append(file)
        elif file.kind is LogFileKind.CHECKPOINT and file.part is not None and file.parts is not None:
            parts.setdefault((file.version, file.parts), {})[file.part] = file
        elif file.kind is LogFileKind.CHECKPOINT:
            shelf.checkpoints.setdefault(file.version, []).append(Checkpoint(file.version, (file,)))
    for (version, count), found in parts.items():
        if len(found) == count:
            whole = Checkpoint(version, tuple(found[part] for part in sorted(found)))
            shelf.checkpoints.setdefault(version, []).append(whole)
    return shelf


def _first_contiguous(commits: dict[int, LogFile], newest: int) -> int:
    """The first version from which every commit up to the newest is there; newest + 1 where the newest has none."""
    first = newest + 1
    while first - 1 in commits:
        first -= 1
    return first


def _segment(shelf: _Shelf, floor: int, newest: int, checkpoint: Checkpoint | None) -> LogSegment:
    commits = tuple(shelf.commits[version] for version in range(floor, newest + 1) if version in shelf.commits)
    checksums = tuple(sorted((c for c in shelf.checksums if floor <= c.version <= newest), key=lambda c: c.version))
    return LogSegment(floor, newest, checkpoint, commits, checksums)


def _no_start(shelf: _Shelf, first: int) -> LogGapError:
    missing = commit_name(first - 1)
    if first == 1 or any(version < first - 1 for version in (*shelf.commits, *shelf.checkpoints)):
        what = f"Version {first - 1} is missing ({missing}), and no complete checkpoint at or after it makes up for it"
    else:
        what = f"Versions 0 to {first - 1} are missing, and no complete checkpoint makes up for them"
    return LogGapError(what, "Restore the missing files from a backup; nothing was guessed.")
