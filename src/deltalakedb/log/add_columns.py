"""Adds kept column by column: what is done to a million of them is done to a few lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain
from operator import itemgetter
from typing import Any, Self, overload

from msgspec import Raw

from .actions import NO_RAW, Add, Extra, file_keys


@dataclass(frozen=True, slots=True)
class AddColumns(Sequence[Add]):
    """A sequence of adds, each made when it is asked for; its attributes are an add's, as lists of one length.

    Checkpoints have columns to begin with: making a million adds of them and taking these apart again took 2 s.
    """

    path: list[str]
    partition_values: list[Raw]
    size: list[int | None]
    modification_time: list[int | None]
    data_change: list[bool | None]
    stats: list[str | None]
    tags: list[Raw]
    deletion_vector: list[Raw]
    base_row_id: list[int | None]
    default_row_commit_version: list[int | None]
    clustering_provider: list[str | None]
    extra: list[Extra | None]

    @classmethod
    def of(cls, adds: Sequence[Add]) -> Self:
        """Returns adds by their columns: the same object where they are that already."""
        if isinstance(adds, cls):
            return adds
        return cls(  # spelled out: by their names, it takes twice as long
            [add.path for add in adds],
            [add.partition_values for add in adds],
            [add.size for add in adds],
            [add.modification_time for add in adds],
            [add.data_change for add in adds],
            [add.stats for add in adds],
            [add.tags for add in adds],
            [add.deletion_vector for add in adds],
            [add.base_row_id for add in adds],
            [add.default_row_commit_version for add in adds],
            [add.clustering_provider for add in adds],
            [add.extra for add in adds],
        )

    @classmethod
    def of_known(cls, known: dict[str, list[Any]]) -> Self:
        """Returns adds of which some columns are known, the paths among them; of the others, nothing is there."""
        count = len(known.get("path", ()))
        absent = {"partition_values": NO_RAW, "tags": NO_RAW, "deletion_vector": NO_RAW}
        return cls(**{name: known.get(name) or [absent.get(name)] * count for name in _NAMES})

    def keys(self) -> list[bytes]:
        """Returns the files' keys."""
        return file_keys(self.path, self.deletion_vector)

    def by_partition(self) -> Self:
        """Returns the adds with those of each partition together, partitions as they come.

        Checkpoints have files in any order. Stored like this, a partition's files are on a tenth of the pages.
        """
        places: dict[int, list[int]] = {}
        for at, values in enumerate(self.partition_values):  # equal ones are one object, or else in groups of their own
            places.setdefault(id(values), []).append(at)
        if len(places) <= 1 or len(places) == len(self):
            return self
        in_order = itemgetter(*chain.from_iterable(places.values()))
        return type(self)(*(list(in_order(getattr(self, name))) for name in _NAMES))

    @overload
    def __getitem__(self, place: int) -> Add: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> Add | Self:
        found = {name: getattr(self, name)[place] for name in _NAMES}
        return type(self)(**found) if isinstance(place, slice) else Add(**found)

    def __len__(self) -> int:
        return len(self.path)


_NAMES = [field.name for field in fields(AddColumns)]
