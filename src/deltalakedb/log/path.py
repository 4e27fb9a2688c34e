"""File names of a `_delta_log`: which kind of file a name stands for. Pure.

Source: PROTOCOL.md, "File Types". Names are matched as a whole, since real logs hold temporary files, copies and
checksums whose names nearly are a commit's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

LOG_FOLDER = "_delta_log"
SIDECAR_FOLDER = "_sidecars"

MAX_VERSION = 2**63 - 1
"""Versions are 64-bit signed integers (PROTOCOL.md, "Delta Log Entries")."""


class LogFileKind(Enum):
    """What a file in the log is, told by its name alone."""

    COMMIT = "commit"
    CHECKPOINT = "checkpoint"
    COMPACTED = "compacted"
    CHECKSUM = "checksum"


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of the log.

    `part` of `parts` is set for multi-part checkpoints, `end_version` for compacted files.
    `size` is in bytes, `modified_ms` in milliseconds since the epoch; both come from the listing.
    """

    name: str
    kind: LogFileKind
    version: int
    part: int | None = None
    parts: int | None = None
    unique: str | None = None
    end_version: int | None = None
    size: int = 0
    modified_ms: int = 0

    @property
    def path(self) -> str:
        """The file's path below the table's root."""
        return f"{LOG_FOLDER}/{self.name}"


_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_NAME = re.compile(
    r"(?P<version>[0-9]{20})\."
    r"(?:(?P<commit>json)"
    r"|(?P<checksum>crc)"
    r"|checkpoint\.(?:(?P<part>[0-9]{10})\.(?P<parts>[0-9]{10})\.)?parquet"
    rf"|checkpoint\.(?P<unique>{_UUID})\.(?:json|parquet)"
    r"|(?P<end>[0-9]{20})\.compacted\.json)"
)


def parse_name(name: str, *, size: int = 0, modified_ms: int = 0) -> LogFile | None:
    """Returns the log file that `name` (without folders) stands for, or None for a foreign file."""
    match = _NAME.fullmatch(name)
    if match is None or int(match["version"]) > MAX_VERSION:
        return None
    version = int(match["version"])
    if match["commit"]:
        return LogFile(name, LogFileKind.COMMIT, version, size=size, modified_ms=modified_ms)
    if match["checksum"]:
        return LogFile(name, LogFileKind.CHECKSUM, version, size=size, modified_ms=modified_ms)
    if match["end"]:
        end = int(match["end"])
        return LogFile(name, LogFileKind.COMPACTED, version, end_version=end, size=size, modified_ms=modified_ms)
    part, parts = (int(match["part"]), int(match["parts"])) if match["part"] else (None, None)
    if part is not None and parts is not None and not 1 <= part <= parts:
        return None
    return LogFile(
        name,
        LogFileKind.CHECKPOINT,
        version,
        part=part,
        parts=parts,
        unique=match["unique"],
        size=size,
        modified_ms=modified_ms,
    )


def sidecar_name(path: str) -> str | None:
    """Returns the name, in the log's folder of sidecars, of the file that a path stands for; None where it has none.

    Sidecars always are in their own table's folder, so whatever folder the path leads to does not count (PROTOCOL.md,
    "Sidecar Files"). The path is percent-encoded.
    """
    name = unquote(path.rpartition("/")[2])
    return None if name in ("", ".", "..") or "/" in name or "\0" in name else name


def commit_name(version: int) -> str:
    """Returns the name of the commit file of `version`."""
    return f"{version:020d}.json"
