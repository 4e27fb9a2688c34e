"""Delta tables below a location."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import LocationNotFoundError, LogError, NotADeltaTableError, StorageError
from ..log.path import LOG_FOLDER
from ..log.reader import Log, find_log, plan
from ..log.store import Location, Store, open_store
from .table_ids import default_table_id

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table and the versions that its log can rebuild; without versions, `problem` says why it can rebuild none."""

    table_id: str
    location: str
    version: int | None
    first_version: int | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A place that a search could not look at: its location, and why."""

    location: str
    error: str


def discover(
    path: Location,
    *,
    recursive: bool = False,
    storage_options: Mapping[str, str] | None = None,
    on_unlisted: Callable[[Unlisted], None] | None = None,
) -> Iterator[FoundTable]:
    """Yields the Delta tables at `path` and directly below it, or with `recursive` anywhere below it, by location.

    Nothing is looked for inside a table. An empty `_delta_log` is no table. `on_unlisted` is called for every place
    below `path` that can't be looked at; without it, a warning is logged.

    Raises:
        LocationNotFoundError, PermissionDeniedError, StorageError: `path` itself can't be listed.
    """
    search = _Search(on_unlisted or _warn)
    yield from search.below(open_store(path, storage_options), None if recursive else 1, (), linked=False)


def table_in(store: Store) -> FoundTable | None:
    """Returns the Delta table at a location itself; None where there is none.

    Raises:
        PermissionDeniedError, StorageError: its log can't be listed.
    """
    # Never more than the log: a table's own folder may hold a million data files, which a listing of it would name.
    log = find_log(store)
    return None if log is None else _table(log)


def _warn(place: Unlisted) -> None:
    logger.warning("not looked at: %s: %s", place.location, place.error)


class _Search:
    """One walk through folders.

    A folder that is reached by a link is walked through once, however many links lead there: they may lead back up, and
    ten folders that all link to each other have a million paths.
    """

    def __init__(self, on_unlisted: Callable[[Unlisted], None]) -> None:
        self._on_unlisted = on_unlisted
        self._behind_links: set[str] = set()

    def below(self, store: Store, depth: int | None, above: tuple[str, ...], *, linked: bool) -> Iterator[FoundTable]:
        """Yields the tables at a location and below it.

        Args:
            store: the location.
            depth: how many levels further down to look; None for all.
            above: the folders that lead there.
            linked: whether one of them is a link.
        """
        table = table_in(store)
        if table is not None:
            yield table
            return
        place = store.canonical
        if depth == 0 or place in above or (linked and place in self._behind_links):
            return
        if linked:
            self._behind_links.add(place)
        for folder in store.folders():
            if folder != LOG_FOLDER:
                yield from self._child(store, folder, depth, (*above, place), linked=linked)

    def _child(
        self, parent: Store, folder: str, depth: int | None, above: tuple[str, ...], *, linked: bool
    ) -> Iterator[FoundTable]:
        store = parent.child(folder)
        linked = linked or store.canonical != f"{above[-1].rstrip('/')}/{folder}"
        try:
            yield from self.below(store, None if depth is None else depth - 1, above, linked=linked)
        except LocationNotFoundError:
            logger.info("gone while we looked: %s", store.location)
        except StorageError as error:
            self._on_unlisted(Unlisted(store.location, error.message))


def _table(log: Log) -> FoundTable | None:
    table_id = default_table_id(log.location)
    try:
        segment = plan(log)
    except NotADeltaTableError:
        return None
    except LogError as error:
        return FoundTable(table_id, log.location, None, None, error.message)
    return FoundTable(table_id, log.location, segment.version, segment.first_version)
