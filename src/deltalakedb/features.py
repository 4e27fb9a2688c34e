"""The table features that we know, and what each means for the list of files.

Source: PROTOCOL.md, "Valid Feature Names in Table Features", and the features of Delta 4 and of delta-rs beyond it.
Which engine applies which feature to rows is the readers' knowledge (table/features.py); which table can be imported,
and what is said of it, is decided here, by names alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

MAX_READER_VERSION = 3
_READER_VERSION = "reader version"

_MANIFEST_TREE = "adaptiveMetadata"
_OUTSIDE_THE_LOG = frozenset({_MANIFEST_TREE, "icebergNativeV4"})
"""Features under which adds lie in a manifest tree that the log only names."""

_CATALOG_MANAGED = frozenset({"catalogManaged", "catalogOwned", "coordinatedCommits", "managed-commit"})
"""Features under which a commit may be in a catalog, or in a staged file, and in the log later."""

ABOUT_THE_LOG = frozenset({"v2Checkpoint", "vacuumProtocolCheck", "catalogManaged", "catalogOwned-preview"})
"""Features that say how to come by the list of files. The catalog has it, so rows don't depend on them."""

_ABOUT_ROWS = frozenset(
    {
        "columnMapping",
        "deletionVectors",
        "geospatial",
        "intervalTypes",
        "timestampNanos",
        "timestampNtz",
        "typeWidening",
        "variantShredding",
        "variantType",
    }
)
_OF_WRITERS = frozenset(
    {
        "allowColumnDefaults",
        "appendOnly",
        "changeDataFeed",
        "checkConstraints",
        "checkpointProtection",
        "clustering",
        "collations",
        "domainMetadata",
        "generatedColumns",
        "icebergCompatV1",
        "icebergCompatV2",
        "icebergCompatV3",
        "icebergWriterCompatV1",
        "icebergWriterCompatV3",
        "identityColumns",
        "inCommitTimestamp",
        "invariants",
        "materializePartitionColumns",
        "redirectWriterOnly",
        "rowTracking",
    }
)
"""Features that no reader has to know; some writers list them for readers all the same."""

_UNTIL_RELEASE = ("-preview", "-dev")
"""What names of features end with until their specification is accepted (protocol_rfcs/README.md of Delta)."""


class Asked(NamedTuple):
    """What a protocol action asks of readers; features are listed for readers and for writers."""

    reader_version: int
    reader_features: tuple[str, ...]
    writer_features: tuple[str, ...]

    @classmethod
    def of(
        cls, reader_version: int, reader_features: Iterable[str] | None, writer_features: Iterable[str] | None
    ) -> Asked:
        """Returns what a protocol asks, whose lists may be absent."""
        return cls(reader_version, tuple(reader_features or ()), tuple(writer_features or ()))

    @property
    def outside_the_log(self) -> str | None:
        """The feature under which files are not listed in the log, in whichever list it stands."""
        return self._first_of(_OUTSIDE_THE_LOG)

    @property
    def catalog_managed(self) -> str | None:
        """The feature under which a catalog has commits that the log has not yet, in whichever list it stands."""
        return self._first_of(_CATALOG_MANAGED)

    @property
    def unknown(self) -> list[str]:
        """What readers must know and we don't: features, and a reader version above 3."""
        found = [f"{_READER_VERSION} {self.reader_version}"] if self.reader_version > MAX_READER_VERSION else []
        return found + [name for name in sorted(set(self.reader_features)) if not _is_known(name)]

    def cautions(self) -> Iterator[str]:
        """Yields what the user of an imported table should know."""
        for name in self.unknown:
            what = f"The table's {name}" if name.startswith(_READER_VERSION) else f"The reader feature {name}"
            yield f"{what} is not known here: the list of files may be incomplete or wrong"
        if self.catalog_managed is not None:
            yield unpublished(self.catalog_managed)

    def _first_of(self, names: frozenset[str]) -> str | None:
        listed = (*self.reader_features, *self.writer_features)
        return next((name for name in listed if _released(name) in names), None)


def unpublished(feature: str) -> str:
    """Returns what to say of a table that a catalog manages by a feature."""
    return f"The table is managed by a catalog ({feature}): commits that the catalog has not published are missing"


def manifest_tree(name: str, body: Any) -> str | None:
    """Returns the feature by which an action that isn't in PROTOCOL.md names a manifest tree; None for other actions.

    A commit has it within an action `checkpoint`, a checkpoint as a row (Delta's protocol_rfcs/iceberg-v4-metadata.md).
    """
    if name == "checkpoint":
        entries = body if isinstance(body, list) else [body]
        return _MANIFEST_TREE if any(isinstance(each, dict) and each.get("contentRoot") for each in entries) else None
    return _MANIFEST_TREE if name == "contentRoot" and body is not None else None


def _is_known(name: str) -> bool:
    released = _released(name)
    known = (_ABOUT_ROWS, _OF_WRITERS, _CATALOG_MANAGED, _OUTSIDE_THE_LOG, ABOUT_THE_LOG)
    return any(released in names for names in known)


def _released(name: str) -> str:
    """Returns a feature's name as it is, or will be, when it is released."""
    for suffix in _UNTIL_RELEASE:
        name = name.removesuffix(suffix)
    return name
