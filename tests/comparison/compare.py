"""Random tables and conditions, by every way of reading, beside the same engines on all rows.

    with Comparison([sqlite_url, postgresql_url], folder) as comparison:
        failures = comparison.of(seed)
    print(comparison.tally)

A seed stands for a table and the conditions on it: the same ones each time.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from deltalakedb.client import Catalog, connect
from deltalakedb.table.delta_table import DeltaTable
from deltalakedb.table.exceptions import UnsupportedTableError
from tests.comparison import schemas, tables
from tests.comparison.kinds import some_value
from tests.comparison.predicates import Asker, Column, Predicate
from tests.comparison.schemas import Field, Primitive, Struct
from tests.comparison.tables import KEY, Table
from tests.comparison.ways import PICKERS, WAYS, Asked, Picker, Rows, Unpruned, Way

PREDICATES = 6
MORE_PREDICATES = 10
"""Those that no rows are read for: it is looked at which files are left out."""


@dataclass(frozen=True)
class Failure:
    """A way that is wrong.

    Attributes:
        seed: of the table.
        database: the kind of the database, and whether columns have an index there.
        way: its name.
        asked: the condition, as the way takes it.
        problem: what is wrong, in a few words.
        detail: and in more.
    """

    seed: int
    database: str
    way: str
    asked: str
    problem: str
    detail: str

    def __str__(self) -> str:
        return f"--seed {self.seed} [{self.database}] {self.way}: {self.problem}\n    {self.asked}\n    {self.detail}"


@dataclass
class Tally:
    """What was compared.

    Attributes:
        tables: that were read.
        compared: how often a way's answer was compared with its reference.
        refused: how often a way refused a table, as it should.
        no_reference: how often the engine itself does not take a condition.
        files: that there were for all conditions, by each way to leave files out.
        left_out: those of them that were left out.
    """

    tables: int = 0
    compared: int = 0
    refused: int = 0
    no_reference: int = 0
    files: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        shares = (f"{name} {self.left_out[name]:,} of {count:,}" for name, count in self.files.items())
        return (
            f"{self.compared:,} comparisons on {self.tables:,} tables; {self.refused:,} refusals as documented; "
            f"{self.no_reference:,} conditions that an engine does not take\nfiles left out: {', '.join(shares)}"
        )


@dataclass(frozen=True)
class Case:
    """A table, and conditions on it.

    Attributes:
        table: the table.
        predicates: the conditions; None is to read all.
        indexed: the columns that get an index.
        more: conditions that no rows are read for; only what they leave out is looked at.
    """

    table: Table
    predicates: tuple[Predicate | None, ...]
    indexed: tuple[str, ...]
    more: tuple[Predicate, ...] = ()

    @classmethod
    def of(cls, seed: int) -> Case:
        """Returns the case that belongs to a seed."""
        table, dice = tables.made(seed), random.Random(seed)
        columns = columns_of(table.fields, table.last)
        asker = Asker(dice, {column: _values(dice, table, column) for column in columns})
        data = [each for each in columns_of(table.fields, table.last, without=table.keys) if _has_index(each)]
        indexed = [".".join(each.path) for each in data if dice.random() < 0.6] if dice.random() < 0.5 else []
        asked, more = ([asker.predicate() for _ in range(count)] for count in (PREDICATES, MORE_PREDICATES))
        return cls(table, (None, *asked), tuple(indexed), tuple(more))


def columns_of(
    fields: Sequence[Field], epoch: int, above: tuple[str, ...] = (), without: Sequence[str] = ()
) -> Iterator[Column]:
    """Yields a table's columns, and the fields of structs, as conditions name them."""
    for each in schemas.fields_at(fields, epoch):
        path = (*above, each.names[epoch])
        if each.physical not in without:
            yield Column(path, each.type.at(epoch) if isinstance(each.type, Primitive) else None)
        if isinstance(each.type, Struct):
            yield from columns_of(each.type.fields, epoch, path)


def _has_index(column: Column) -> bool:
    nameable = len(column.path) == 1 or not any("." in name for name in column.path)
    return column.kind is not None and column.kind.family != "binary" and nameable


def _values(dice: random.Random, table: Table, column: Column) -> list[Any]:
    """The values that a column has, and some that it may have not."""
    if column.kind is None:
        return []
    found = [_at(row, column.path) for file in table.files for row in tables.rows(table, file)]
    distinct = {repr(value): value for value in found if value is not None}  # NaN is not even itself
    return [*distinct.values(), *(some_value(dice, column.kind) for _ in range(2))]


def _at(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = None if row is None else row[name]
    return row


class Comparison:
    """Compares on some databases; a context manager."""

    def __init__(self, urls: Sequence[str], folder: Path, *, in_turns: bool = False) -> None:
        """Makes one on empty databases.

        Args:
            urls: where they are.
            folder: for the tables.
            in_turns: whether each condition is asked of one database only, of one after the other.
        """
        self.tally = Tally()
        self._in_turns = in_turns
        self._urls, self._folder = urls, folder
        self._stack = ExitStack()
        self._catalogs: list[Catalog] = []

    def __enter__(self) -> Self:
        self._catalogs = [self._stack.enter_context(connect(url)) for url in self._urls]
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def of(self, seed: int) -> list[Failure]:
        """Compares what belongs to a seed, and returns what is wrong."""
        return self.of_case(Case.of(seed))

    def of_case(self, case: Case, ways: Sequence[Way | Picker] = (*WAYS, *PICKERS)) -> list[Failure]:
        """Compares a case in some ways, and returns what is wrong."""
        self.tally.tables += 1
        folder = self._folder / str(self.tally.tables)
        tables.write(case.table, folder / "t")
        known = _References(case, Unpruned(case.table, folder / "plain"))
        found = []
        for turn, catalog in enumerate(self._catalogs):
            found += self._on(catalog, self._share(case, turn), folder, known, ways)
        shutil.rmtree(folder)
        return found

    def _share(self, case: Case, turn: int) -> Case:
        """What of a case one of the databases is asked."""
        if not self._in_turns:
            return case
        all_rows, *asked = case.predicates
        every = slice(turn, None, len(self._catalogs))
        return replace(case, predicates=(all_rows, *asked[every]), more=case.more[every])

    def _on(
        self, catalog: Catalog, case: Case, folder: Path, known: _References, ways: Sequence[Way | Picker]
    ) -> Iterator[Failure]:
        database = catalog.url.partition(":")[0] + (", indexed" if case.indexed else "")
        try:
            catalog.import_table(str(folder / "t"), table_id=folder.name)
            if case.indexed:
                catalog.index(folder.name, case.indexed)
            table = catalog.table(folder.name)
        except Exception as error:  # anything that a caller would see
            yield Failure(case.table.seed, database, "import_table() and index()", "", *_raised(error))
            return
        pickers = [way for way in ways if isinstance(way, Picker)]
        rounds = [*((each, ways) for each in case.predicates), *((each, pickers) for each in case.more)]
        for predicate, asked_ways in rounds:
            for way in asked_ways:
                failure = self._compared(case, table, way, predicate, known)
                if failure is not None:
                    yield replace(failure, database=database)
        catalog.rollback(folder.name)

    def _compared(
        self, case: Case, table: DeltaTable, way: Way | Picker, predicate: Predicate | None, known: _References
    ) -> Failure | None:
        asked = None if predicate is None else way.notation(predicate)
        if asked is None and (predicate is not None or isinstance(way, Picker)):
            return None
        wanted = known.of(way, predicate, asked)
        if wanted is None:
            self.tally.no_reference += 1
            return None
        try:
            found = way.picked(table, asked) if isinstance(way, Picker) else way.read(table, asked)
        except Exception as error:  # anything that a caller would see
            if isinstance(error, UnsupportedTableError) and way.plain_only and not case.table.is_plain:
                self.tally.refused += 1
                return None
            problem = _raised(error)
        else:
            self.tally.compared += 1
            problem = self._files(case, way, wanted, found) if isinstance(way, Picker) else _rows(wanted, found)
        return Failure(case.table.seed, "", way.name, str(asked), *problem) if problem else None

    def _files(self, case: Case, picker: Picker, needed: set[str], picked: set[str]) -> Problem | None:
        live = sum(not file.removed for file in case.table.files)
        self.tally.files[picker.name] += live
        self.tally.left_out[picker.name] += live - len(picked)
        lost = [file for file in case.table.files if file.path in needed - picked]
        return ("files lost", f"{lost[0].path} {lost[0].spelled} {lost[0].stats}"[:600]) if lost else None


Problem = tuple[str, str]
"""What is wrong, in a few words and in more."""


def _raised(error: Exception) -> Problem:
    return f"raises {type(error).__name__}", str(error)[:300]


def _rows(wanted: Rows, found: Rows) -> Problem | None:
    if found == wanted:
        return None
    lost, extra = _without(wanted, found), _without(found, wanted)
    problem = "values differ" if len(lost) == len(extra) else f"{len(lost)} rows lost, {len(extra)} too many"
    return problem, f"wanted {lost[:1]}, found {extra[:1]}"[:900]


def _without(some: Rows, others: Rows) -> Rows:
    return list((Counter(some) - Counter(others)).elements())


class _References:
    """What the engines find in all rows, each looked for once."""

    def __init__(self, case: Case, unpruned: Unpruned) -> None:
        self._unpruned, self._file_of = unpruned, tables.file_of(case.table)
        self._known: dict[tuple[str, Predicate | None], Any] = {}

    def of(self, way: Way | Picker, predicate: Predicate | None, asked: Asked | None) -> Any:
        """Returns the rows that match, or the files that they are in; None where the engine refuses the condition."""
        key = (way.name, predicate)
        if predicate is None:
            return self._looked_for(way, None)  # every engine reads all rows
        if key not in self._known:
            try:
                self._known[key] = self._looked_for(way, asked)
            except Exception:  # whatever an engine says of a condition that it does not take
                self._known[key] = None
        return self._known[key]

    def _looked_for(self, way: Way | Picker, asked: Asked | None) -> Any:
        if isinstance(way, Way):
            return way.reference(self._unpruned, asked)
        return {self._file_of[key] for key in way.matching(self._unpruned, asked)[KEY].to_pylist()}
