"""Commits, checkpoints and sidecars of one log → actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from types import ModuleType
from typing import Any
from typing import Protocol as Shape

import msgspec

from ..errors import (
    CorruptLogError,
    LocationNotFoundError,
    LogError,
    LogFileGoneError,
    LogGapError,
    NotADeltaTableError,
    StorageError,
    UnsupportedTableError,
)
from ..features import Asked, manifest_tree
from .actions import Actions, Metadata, NamedAction, Only, OtherAction, Protocol, Sidecar, is_absent
from .json_actions import decode_actions
from .path import LOG_FOLDER, SIDECAR_FOLDER, LogFile, LogFileKind, commit_name, parse_name, sidecar_name
from .segment import Checkpoint, LogSegment, candidates, checkpoints
from .store import CHUNK_BYTES, Listing, Store

_SIDECAR = msgspec.json.Decoder(Sidecar)

_BEHIND_ALL_VERSIONS = ":"
"""The letter behind the digits: names of log files begin with these, those of its folders don't."""


@dataclass(slots=True)
class Log:
    """The log at one location, listed once.

    `since` is set where only the files from that version on were listed: what came before can't be rebuilt from it.
    `warnings` grows while the log is read: what was passed over, and why.
    """

    store: Store
    files: list[LogFile]
    since: int | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def location(self) -> str:
        """The table's root, as the catalog records it."""
        return self.store.location

    @property
    def newest(self) -> int:
        """The newest version of which there is more than a checksum; -1 where there is none."""
        return max((file.version for file in self.files if file.kind is not LogFileKind.CHECKSUM), default=-1)


def open_log(store: Store) -> Log:
    """Lists the log below a location.

    Raises:
        LocationNotFoundError: nothing is at the location.
        NotADeltaTableError: there is no `_delta_log` folder.
    """
    log = find_log(store)
    if log is None:
        store.check()  # says so where the location itself is missing
        raise NotADeltaTableError(
            f"No checkpoint or JSON files found: {store.location} is not a Delta table (it has no {LOG_FOLDER})",
            "Give the folder that holds _delta_log; `deltalakedb discover` finds tables below a folder.",
        )
    return log


def find_log(store: Store) -> Log | None:
    """Lists the log below a location; None where there is no `_delta_log` folder."""
    try:
        return Log(store, _parsed(store.list(LOG_FOLDER)))
    except LocationNotFoundError:
        return None


def open_log_since(store: Store, version: int) -> Log:
    """Lists the files of a log from a version on; none where there is no log.

    What is older is not even named by an object store, of which one request gets a thousand names.
    """
    try:
        listing = store.list(LOG_FOLDER, after=f"{version:020d}", before=_BEHIND_ALL_VERSIONS)
    except LocationNotFoundError:
        listing = Listing()
    return Log(store, _parsed(listing), since=version)


def _parsed(listing: Listing) -> list[LogFile]:
    parsed = (parse_name(entry.name, size=entry.size, modified_ms=entry.modified_ms) for entry in listing.files)
    return [file for file in parsed if file is not None]


def expect(log: Log, files: Iterable[LogFile]) -> None:
    """Says which files of the log will be read next, in this order, so that a far store can fetch them ahead."""
    log.store.expect((file.path, file.size) for file in files)


def plan(log: Log, to_version: int | None = None) -> LogSegment:
    """Returns the longest history that the log can rebuild, up to `to_version` or its newest version.

    Raises:
        NotADeltaTableError: no commit and no checkpoint.
        LogGapError: a commit is missing, and no complete checkpoint makes up for it.
    """
    broken: LogError | None = None
    try:
        for segment in candidates(log.files, to_version):
            try:
                if segment.checkpoint is not None:
                    _check_complete(log, segment.checkpoint)
            except LogError as error:
                broken = error
                log.warnings.append(f"Checkpoint passed over: {error.message}")
            else:
                return segment
    except NotADeltaTableError as error:
        raise NotADeltaTableError(f"{error.message} in {log.location}/{LOG_FOLDER}", error.hint) from error
    except LogGapError as error:
        if broken is not None:
            raise broken from error
        raise
    raise AssertionError("candidates() ends in a segment or an error")


def newest_checkpoint(log: Log, first: int, last: int) -> Checkpoint | None:
    """Returns the newest complete checkpoint of the versions from `first` to `last`: there readers of `last` start.

    Those that are passed over are noted in the log's warnings.
    """
    for checkpoint in checkpoints(log.files, first, last):
        try:
            _check_complete(log, checkpoint)
        except (LogError, StorageError) as error:
            warning = f"Checkpoint passed over: {error.message}"
            log.warnings += [] if warning in log.warnings else [warning]
        else:
            return checkpoint
    return None


def _check_complete(log: Log, checkpoint: Checkpoint) -> None:
    """Raises CorruptLogError where a file of the checkpoint can't be opened, or names a sidecar that is not there."""
    present: set[str] | None = None
    for file in checkpoint.files:
        for sidecar in _sidecars(log, file):
            if present is None:
                present = _sidecar_names(log)
            if sidecar_name(sidecar.path) not in present:
                raise CorruptLogError(f"{file.name} names a sidecar that is not there: {sidecar.path}")


def _sidecars(log: Log, file: LogFile) -> list[Sidecar]:
    if file.name.endswith(".json"):
        return _sidecars_of_manifest(log, file)
    with _listed(file.path), log.store.open(file.path) as source:
        return [_sidecar(row, file.name) for row in _parquet().decode_sidecar_rows(source, file.name)]


def _sidecars_of_manifest(log: Log, file: LogFile) -> list[Sidecar]:
    is_manifest, sidecars = False, list[Sidecar]()
    for actions in decode_actions(_chunks(log, file.path), file.name):
        names = {action.name for action in actions.others if isinstance(action, OtherAction)}
        is_manifest = is_manifest or "checkpointMetadata" in names
        sidecars += _take_sidecars(actions, file.name)
    if not is_manifest:  # an empty file is good JSON lines, too
        raise CorruptLogError(f"{file.name}: not a readable checkpoint (it has no checkpointMetadata)")
    return sidecars


def check_opening(log: Log, segment: LogSegment) -> None:
    """Finds out cheaply, before anything is loaded, whether the log tells what a table needs.

    Raises:
        CorruptLogError: no metaData or no protocol action in the whole log, or a file that can't be decoded.
        UnsupportedTableError: as `check_understood`.
    """
    missing: dict[type, str] = {Metadata: "metaData", Protocol: "protocol"}
    for name, action in _from_the_floor(log, segment):
        missing.pop(type(action), None)
        check_understood(action, name)
        if not missing:
            return
    names = " and no ".join(missing.values())
    raise CorruptLogError(
        f"The log has no {names} action: {log.location}/{LOG_FOLDER}", "The first commit is not a table's first."
    )


def metadata_at_floor(log: Log, segment: LogSegment) -> Metadata | None:
    """Returns the first metaData action of a log: of its checkpoint, or of the first commit that has one."""
    return next((action for _, action in _from_the_floor(log, segment) if isinstance(action, Metadata)), None)


def _from_the_floor(log: Log, segment: LogSegment) -> Iterator[tuple[str, NamedAction]]:
    """Yields the actions that aren't about files, with the names of theirs."""
    if segment.checkpoint is not None:
        for actions in read_checkpoint(log, segment.checkpoint, only=Only.STATE):
            yield from ((segment.checkpoint.name, action) for action in actions.others)
    for commit in segment.commits:
        for actions in read_commit(log, commit):
            yield from ((commit.name, action) for action in actions.others)


def understood(pieces: Iterable[Actions], name: str) -> Iterator[Actions]:
    """Passes on the pieces of a file; raises as `check_understood`, since a table may change with any commit."""
    for piece in pieces:
        for action in piece.others:
            check_understood(action, name)
        yield piece


def check_understood(action: NamedAction, name: str) -> None:
    """Makes sure that an action doesn't put the table's files where we don't look for them.

    Args:
        action: what the log says.
        name: the file that says it.

    Raises:
        UnsupportedTableError: the data files are not Parquet, or listed outside of the log.
    """
    match action:
        case Metadata():
            _check_format(action)
        case Protocol():
            asked = Asked.of(action.min_reader_version, action.reader_features, action.writer_features)
            if asked.outside_the_log is not None:
                raise _not_in_the_log(asked.outside_the_log, f"the protocol in {name}")
        case OtherAction("checkpoint" | "contentRoot"):
            feature = manifest_tree(action.name, _value(action.text))
            if feature is not None:
                raise _not_in_the_log(feature, f"{action.name} in {name}")


def _not_in_the_log(feature: str, where: str) -> UnsupportedTableError:
    return UnsupportedTableError(
        f"The table's files are listed in a manifest tree outside of the log ({feature}: {where})",
        "Only an engine that knows this feature reads the table; drop the feature there to import it here.",
    )


def _value(text: str) -> Any:
    """Returns a JSON value; what can't be decoded names nothing."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _check_format(metadata: Metadata) -> None:
    """Raises UnsupportedTableError where the data files are not Parquet (PROTOCOL.md, "Format Specification")."""
    provider = "parquet" if is_absent(metadata.format) else _provider(metadata)
    if provider.lower() != "parquet":
        raise UnsupportedTableError(
            f"The table's data files are {provider}, not parquet (metaData.format.provider)",
            "Only Parquet is a format of Delta tables.",
        )


def _provider(metadata: Metadata) -> str:
    try:
        return str(msgspec.json.decode(metadata.format).get("provider", "parquet"))
    except (msgspec.MsgspecError, AttributeError) as error:
        raise CorruptLogError(f"metaData.format is not an object with a provider ({error})") from error


def _sidecar_names(log: Log) -> set[str]:
    try:
        return {entry.name for entry in log.store.list(f"{LOG_FOLDER}/{SIDECAR_FOLDER}").files}
    except LocationNotFoundError:
        return set()


class Digest(Shape):
    """What adds bytes up, as those of `hashlib` do."""

    def update(self, data: bytes, /) -> None:
        """Adds bytes."""


def commit_digest(log: Log, commit: LogFile) -> str:
    """Returns the SHA-256 of a commit's bytes, in 64 letters; raises LogFileGoneError as `read_commit`."""
    digest = sha256()
    for chunk in _chunks(log, commit.path):
        digest.update(chunk)
    return digest.hexdigest()


def metadata_of(log: Log, version: int) -> Iterator[Metadata]:
    """Yields the metaData actions of the commit of a version; it need not have been listed.

    Raises:
        CorruptLogError, LogFileGoneError: as `read_commit`.
    """
    commit = parse_name(commit_name(version), size=0, modified_ms=0)
    assert commit is not None
    for actions in read_commit(log, commit):
        yield from (action for action in actions.others if isinstance(action, Metadata))


def read_commit(log: Log, commit: LogFile, digest: Digest | None = None) -> Iterator[Actions]:
    """Yields the actions of a commit, in pieces where it is large; its bytes are added to a digest meanwhile.

    Raises:
        CorruptLogError: not JSON, cut off, or an action that lacks what makes it one.
        LogFileGoneError: it is not there any more.
    """
    return decode_actions(_chunks(log, commit.path, digest), commit.name)


def commit_pieces(log: Log, commit: LogFile, digest: Digest | None = None) -> Callable[[], Iterator[Actions]]:
    """Returns what reads a commit, any number of times: a small one from memory, a large one from the store.

    The first time, its bytes are added to the digest.

    Raises (this and what is returned): as `read_commit` and `check_understood`.
    """
    if commit.size > CHUNK_BYTES:
        first = iter((digest,))
        return lambda: understood(read_commit(log, commit, next(first, None)), commit.name)
    whole = list(understood(read_commit(log, commit, digest), commit.name))
    return lambda: iter(whole)


def read_checkpoint(log: Log, checkpoint: Checkpoint, *, only: Only | None = None) -> Iterator[Actions]:
    """Yields the actions of a checkpoint of any kind, sidecars included, in bounded pieces.

    What a file holds is told by its content: a V2 checkpoint may have a classic name (PROTOCOL.md, "V2 Checkpoints").
    Of Parquet files only what is wanted is read; JSON has no columns that could be left out.

    Raises:
        CorruptLogError: a file is not readable, or a sidecar is missing.
        LogFileGoneError: a file is not there any more.
    """
    for file in checkpoint.files:
        for actions, sidecars in _read_file(log, file.path, only=only):
            yield actions
            for sidecar in sidecars:
                yield from _read_sidecar(log, sidecar, file.name, only=only)


def _read_sidecar(log: Log, sidecar: Sidecar, manifest: str, *, only: Only | None) -> Iterator[Actions]:
    name = sidecar_name(sidecar.path)
    if name is None:
        raise CorruptLogError(f"{manifest}: not the path of a sidecar: {sidecar.path!r}")
    try:
        for actions, _ in _read_file(log, f"{LOG_FOLDER}/{SIDECAR_FOLDER}/{name}", only=only):
            yield actions
    except LogFileGoneError as error:
        if "/" not in sidecar.path:
            raise  # it was there when the segment was planned
        raise CorruptLogError(f"{manifest} names a sidecar that is not there: {sidecar.path}") from error


def _read_file(log: Log, path: str, *, only: Only | None) -> Iterator[tuple[Actions, list[Sidecar]]]:
    name = path.rsplit("/", 1)[-1]
    if path.endswith(".json"):
        for actions in decode_actions(_chunks(log, path), name):
            yield actions, _take_sidecars(actions, name)
        return
    with _listed(path), log.store.open(path) as source:
        for actions, rows in _parquet().decode_checkpoint_rows(source, name, only=only):
            yield actions, [_sidecar(row, name) for row in rows]


def _chunks(log: Log, path: str, digest: Digest | None = None) -> Iterator[bytes]:
    with _listed(path):
        for chunk in log.store.chunks(path):
            if digest is not None:
                digest.update(chunk)
            yield chunk


@contextmanager
def _listed(path: str) -> Iterator[None]:
    """Raises LogFileGoneError where a file of the log, which was listed, is not there."""
    try:
        yield
    except LocationNotFoundError as error:
        raise LogFileGoneError(
            f"{path} was cleaned up while the log was read", "Try again: the log is listed anew then."
        ) from error


def _take_sidecars(actions: Actions, name: str) -> list[Sidecar]:
    """Takes what belongs to the manifest itself out of a JSON checkpoint's actions."""
    sidecars = [_sidecar(a.text, name) for a in actions.others if isinstance(a, OtherAction) and a.name == "sidecar"]
    manifest = ("sidecar", "checkpointMetadata")
    actions.others = [a for a in actions.others if not (isinstance(a, OtherAction) and a.name in manifest)]
    return sidecars


def _sidecar(value: Any, name: str) -> Sidecar:
    try:
        return _SIDECAR.decode(value) if isinstance(value, str) else msgspec.convert(value, Sidecar)
    except msgspec.MsgspecError as error:
        raise CorruptLogError(f"{name}: a sidecar that says not where it is ({error})") from error


def _parquet() -> ModuleType:
    """The reader of Parquet, imported when a log has some: pyarrow takes a third of a second to import."""
    from . import parquet_actions

    return parquet_actions
