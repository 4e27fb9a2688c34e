"""What the features of a log keep a validation from knowing."""

from __future__ import annotations

from collections.abc import Iterator

from ..features import Asked, manifest_tree, unpublished
from ..log.path import commit_name
from .differences import UNKNOWN_FEATURE, Findings
from .facts import Action, whole
from .second_reading import Reading, Scope


def look_for_unknown_features(reading: Reading, scope: Scope, findings: Findings) -> None:
    """Adds a difference for each feature under which the log may not list all files; notes who else has commits."""
    known = set[str]()
    for version, feature, source in (*_of_protocols(reading), *_of_commits(reading)):
        if feature not in known:
            known.add(feature)
            findings.add(max(version, scope.floor), UNKNOWN_FEATURE, None, feature, None, source=source)
    for body in reading.protocols.values():
        managed = _asked(body).catalog_managed
        if managed is not None:
            findings.note(unpublished(managed))


def _of_protocols(reading: Reading) -> Iterator[tuple[int, str, str | None]]:
    for version, body in sorted(reading.protocols.items()):
        asked = _asked(body)
        outside = asked.outside_the_log
        for feature in (*([] if outside is None else [outside]), *asked.unknown):
            yield version, feature, reading.sources.get(("protocol", version))


def _of_commits(reading: Reading) -> Iterator[tuple[int, str, str]]:
    """Yields manifest trees that commits name; catalogs of older releases may have such tables, with too few files."""
    for version, commit in sorted(reading.commits.items()):
        for action in commit.others:
            for name, body in action.items():
                feature = manifest_tree(name, body)
                if feature is not None:
                    yield version, feature, commit_name(version)


def _asked(body: Action) -> Asked:
    version, readers, writers = (body.get(name) for name in ("minReaderVersion", "readerFeatures", "writerFeatures"))
    number = whole(version)
    return Asked.of(number if isinstance(number, int) else 0, _names(readers), _names(writers))


def _names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
