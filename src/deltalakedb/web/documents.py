"""What the pages say, as documents: the JSON twins are these, and the templates show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from prometheus_client import Histogram
from sqlalchemy import Connection

from ..catalog import overview, portrait, registry
from ..catalog.database import Database
from ..catalog.portrait import Document
from ..catalog.problems import problems
from ..catalog.secrets import Secrets
from ..errors import TableNotFoundError
from .logs import LogWatch
from .recent import Recent

FILTERS = ("", *overview.STATUSES, "behind", "different")
PROBLEMS_SHOWN = 20
"""Problems of a kind on a page."""

STATE_SECONDS, STATES = 60.0, 200
_MOST = 1 << 62
_LISTS = ("problems", "page_of_tables", "events")
_of_urls = Secrets().scrub_name
"""For locations: a folder may well have the name that somebody took for a password."""


@dataclass(frozen=True, slots=True)
class LakeQuery:
    """What is asked of the list of tables; what makes no sense counts as not asked."""

    search: str = ""
    status: str = ""
    sort: str = overview.SORTS[0]
    page: int = 0

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> LakeQuery:
        """Reads a request's query."""
        status, sort = asked.get("status", ""), asked.get("sort", "")
        return cls(
            # A database takes no NUL in a text.
            search=asked.get("search", "").replace("\0", "")[:255],
            status=status if status in FILTERS else "",
            sort=sort if sort in overview.SORTS else overview.SORTS[0],
            page=min(_number(asked.get("page")) or 0, 1_000_000),
        )


@dataclass(frozen=True, slots=True)
class TableQuery:
    """Which table, and which of its commits: those below version `before`, or the newest."""

    table_id: str
    before: int | None = None

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> TableQuery:
        """Reads a request's query."""
        return cls(asked.get("id", ""), _number(asked.get("before")))


def _number(text: str | None) -> int | None:
    return min(int(text), _MOST) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


class Documents:
    """The documents of one catalog.

    Args:
        database: the catalog; a role that may only read is enough.
        logs: looks at the tables' logs.
        patience: seconds that the database may take for a question.
        fresh: seconds for which what was found of the lake is good.
        queries: takes the time of each question.
        scrub: takes secrets out of a message: another release, or another tool, may have left one in the catalog.
    """

    def __init__(
        self,
        database: Database,
        logs: LogWatch,
        patience: float,
        fresh: float,
        queries: Histogram,
        scrub: Callable[[str], str],
    ) -> None:
        self._database = database
        self._logs = logs
        self._patience = patience
        self._queries = queries
        self._scrub = scrub
        self._above: Recent[Document] = Recent(fresh, 1)
        self._states: Recent[Document] = Recent(STATE_SECONDS, STATES)

    def lake(self, query: LakeQuery) -> Document:
        """Totals, what runs, problems, and a page of tables."""

        def ask(connection: Connection) -> Document:
            # Whatever is asked of the list, what stands above it is the same for all.
            above = self._above.get("lake", lambda: _above(connection))
            listed = overview.tables(connection, **asdict(query))
            return {**above, **asdict(query), "page_size": overview.PAGE, **listed}

        return self._clean(self.asked("lake", ask))

    def table(self, query: TableQuery) -> Document:
        """Everything about a table; `state` is None while it can't be read.

        Raises:
            TableNotFoundError: nobody knows it.
        """

        def ask(connection: Connection) -> tuple[Document | None, registry.TableEntry | None]:
            found = _portrait(connection, query.table_id)
            entry = None if found is None else registry.entry_of(connection, query.table_id)
            if found is None or entry is None:
                return found, None
            # What a version holds doesn't change, so it is asked for once in a while.
            key = (entry.table_id, entry.version, entry.first_version, entry.imported_at)
            state = self._states.get(key, lambda: portrait.state(connection, entry))
            found["state"] = {
                **state,
                "log_version": entry.log_version,
                "versions_behind": entry.log_version - entry.version,
                "imported_at": entry.imported_at,
                "synced_at": entry.synced_at,
                **portrait.commits(connection, entry, query.before),
            }
            return found, entry

        found, entry = self.asked("table", ask)
        if found is None:
            raise TableNotFoundError(f"There is no table {query.table_id!r} in the catalog")
        return self._clean({**found, "log": None if entry is None else asdict(self._logs.look(entry))})

    def asked(self, page: str, ask: Callable[[Connection], Any]) -> Any:
        """Asks the catalog, which may not take for ever."""
        with self._queries.labels(page).time(), self._database.reading() as connection:
            self._database.dialect.limit(connection, self._patience)
            return ask(connection)

    def _clean(self, found: Document) -> Document:
        for one in (found, *(each for name in _LISTS for each in found.get(name, ()))):
            for name, scrub in (("message", self._scrub), ("error_message", self._scrub), ("location", _of_urls)):
                if one.get(name):
                    one[name] = scrub(one[name])
        return found


def _above(connection: Connection) -> Document:
    wrong = problems(connection)
    kinds = Counter(one.kind for one in wrong)
    shown: Counter[str] = Counter()
    first = []
    for one in wrong:
        shown[one.kind] += 1
        if shown[one.kind] <= PROBLEMS_SHOWN:
            first.append(asdict(one))
    return {
        **overview.lake(connection),
        "problems_total": len(wrong),
        "problems_by_kind": dict(kinds),
        "problems": first,
    }


def _portrait(connection: Connection, table_id: str) -> Document | None:
    if "\0" in table_id:  # which no database has in a text
        return None
    found = portrait.portrait(connection, table_id)
    return None if found is None else {**found, "state": None}
