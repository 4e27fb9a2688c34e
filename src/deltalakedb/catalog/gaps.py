"""Versions within a table's history that nobody has: the log lost them before they were taken in.

A sync that finds them gone goes on from the log's checkpoint behind them. What the catalog has from before stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..errors import VersionNotFoundError

if TYPE_CHECKING:
    from .registry import TableEntry


class Gap(msgspec.Struct, frozen=True):
    """Versions that are gone: from `first_version` to `last_version`, behind which comes that of the checkpoint.

    There are none, and `last_version` is the one before `first_version`, where the checkpoint's own commit is all that
    is gone. `checkpoint_actions` is what the checkpoint had and that we don't model, as JSON, or None.
    """

    first_version: int
    last_version: int
    checkpoint_actions: str | None = None

    @property
    def floor(self) -> int:
        """The version of the checkpoint."""
        return self.last_version + 1

    def __str__(self) -> str:
        match self.last_version - self.first_version:
            case -1:
                return f"the commit of version {self.floor} was cleaned up"
            case 0:
                return f"version {self.first_version} was cleaned up"
            case _:
                return f"versions {self.first_version} to {self.last_version} were cleaned up"


def gaps_of(entry: TableEntry) -> tuple[Gap, ...]:
    """Returns the gaps in a table's history, the oldest first."""
    return () if entry.gaps is None else msgspec.json.decode(entry.gaps, type=tuple[Gap, ...])


def with_gap(entry: TableEntry, gap: Gap) -> str:
    """Returns a table's gaps and a new one behind them, as they are written."""
    return msgspec.json.encode([*gaps_of(entry), gap]).decode()


def histories(entry: TableEntry) -> list[tuple[int, int]]:
    """Returns the first and the last version of each part of a table's history without a gap, the oldest first."""
    first, found = entry.first_version, []
    for gap in gaps_of(entry):
        found.append((first, gap.first_version - 1))
        first = gap.floor
    return [*found, (first, entry.version)]


def versions_before(entry: TableEntry, version: int) -> str:
    """Returns which versions the catalog has before a version, in words: `0 to 3 and 7 to 9`."""
    older = [(first, min(last, version - 1)) for first, last in histories(entry)]
    return " and ".join(f"{first} to {last}" for first, last in older if first <= last)


def whole_from(entry: TableEntry) -> int:
    """Returns the version from which on the catalog has every version up to the newest."""
    return histories(entry)[-1][0]


def check_not_in_gap(entry: TableEntry, version: int) -> None:
    """Raises VersionNotFoundError where a version is one of those that are gone."""
    for gap in gaps_of(entry):
        if gap.first_version <= version <= gap.last_version:
            raise gone(entry, gap, f"has no version {version}")


def gone(entry: TableEntry, gap: Gap, what: str) -> VersionNotFoundError:
    """Returns the error for what only the versions of a gap could tell."""
    return VersionNotFoundError(
        f"{entry.table_id!r} {what}: {gap} in the log before a sync could take it in",
        f"Versions {gap.first_version - 1} and {gap.floor} are the nearest that are there.",
    )
