"""A case that fails → the least that still fails in the same way, and how it looks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from tests.comparison import schemas
from tests.comparison.compare import Case, Comparison, Failure
from tests.comparison.predicates import And, In, Not, Or, Predicate, leaves_of
from tests.comparison.tables import DataFile, Table
from tests.comparison.ways import PICKERS, WAYS


def reduced(comparison: Comparison, case: Case, failure: Failure) -> tuple[Case, Failure]:
    """Returns the least case that fails as `failure` does, and its failure."""
    ways = [way for way in (*WAYS, *PICKERS) if way.name == failure.way]

    def fails(candidate: Case) -> Failure | None:
        found = comparison.of_case(candidate, ways)
        return next((each for each in found if _kind(each) == _kind(failure)), None)

    for predicate in (*case.predicates, *case.more):
        only = replace(case, predicates=(predicate,), more=())
        found = fails(only)
        if found is not None and found.asked == failure.asked:
            return _smaller(only, found, fails)
    return case, failure


def _kind(failure: Failure) -> tuple[str, bool, str]:
    """What stays the same of a failure: how many rows there are to lose does not."""
    raised = failure.problem.startswith("raises")
    return failure.way, raised, failure.problem if raised else ""


def _smaller(case: Case, failure: Failure, fails: Callable[[Case], Failure | None]) -> tuple[Case, Failure]:
    for candidate in _candidates(case):
        found = fails(candidate)
        if found is not None:
            return _smaller(candidate, found, fails)
    return case, failure


def _candidates(case: Case) -> Iterator[Case]:
    for table in _fewer_files(case.table):
        yield replace(case, table=table)
    for (predicate,) in [case.predicates]:
        for part in () if predicate is None else _parts(predicate):
            yield replace(case, predicates=(part,))
    if case.indexed:
        yield replace(case, indexed=())
    asked = {leaf.column.path[0] for each in case.predicates if each is not None for leaf in leaves_of(each)}
    for table in (*_fewer_columns(case.table, {*asked, *case.indexed}), *_plainer(case.table)):
        yield replace(case, table=table)


def _fewer_files(table: Table) -> Iterator[Table]:
    for at in range(len(table.files)):
        yield replace(table, files=table.files[:at] + table.files[at + 1 :])


def _parts(predicate: Predicate) -> Iterator[Predicate]:
    match predicate:
        case Not(operand):
            yield operand
            yield from (Not(part) for part in _parts(operand))
        case And(left, right) | Or(left, right):
            yield from (left, right)
            yield from (type(predicate)(part, right) for part in _parts(left))
            yield from (type(predicate)(left, part) for part in _parts(right))
        case In(column, constants) if len(constants) > 1:
            yield from (In(column, constants[:at] + constants[at + 1 :]) for at in range(len(constants)))


def _fewer_columns(table: Table, needed: set[str]) -> Iterator[Table]:
    for one in table.fields:
        if one.names[-1] not in {*needed, "key"}:
            keys = tuple(key for key in table.keys if key != one.physical)
            files = tuple(_without(file, one.physical) for file in table.files)
            yield replace(table, fields=tuple(each for each in table.fields if each != one), keys=keys, files=files)


def _without(file: DataFile, physical: str) -> DataFile:
    def rest(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name != physical}

    rows = tuple(map(rest, file.rows))
    return replace(file, rows=rows, partition=rest(file.partition), spelled=rest(file.spelled))


def _plainer(table: Table) -> Iterator[Table]:
    for at, file in enumerate(table.files):
        for plainer in _plainer_files(file, at):
            if plainer != file:
                yield replace(table, files=(*table.files[:at], plainer, *table.files[at + 1 :]))


def _plainer_files(file: DataFile, number: int) -> Iterator[DataFile]:
    yield replace(file, options={})
    yield replace(file, path=f"{number}.parquet")
    yield replace(file, deleted=frozenset())
    yield replace(file, later=False, removed=False)
    yield replace(file, storage="i")
    yield replace(file, stats=None)
    yield from (replace(file, stats=text) for text in _fewer_members(file.stats or "{}"))


def _fewer_members(stats: str) -> Iterator[str]:
    """Statistics without one of them, or one of a column; what is left is as it was, digit by digit."""
    known = msgspec.json.decode(stats, type=dict[str, msgspec.Raw])
    for name, raw in known.items():
        yield _encoded(known, name, None)
        if bytes(raw).lstrip().startswith(b"{"):
            inside = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            yield from (_encoded(known, name, msgspec.Raw(_encoded(inside, each, None).encode())) for each in inside)


def _encoded(members: dict[str, msgspec.Raw], name: str, value: msgspec.Raw | None) -> str:
    rest = {each: raw for each, raw in members.items() if each != name}
    return msgspec.json.encode(rest if value is None else {**rest, name: value}).decode()


def shown(case: Case) -> str:
    """Returns a case as text: the schema of each epoch, the files, and the index."""
    table = case.table
    mapped = f"column mapping {table.mapping} ({table.listed})" if table.mapping else "no column mapping"
    lines = [f"partitions {list(table.keys)}, {mapped}, index {list(case.indexed)}"]
    for epoch in range(table.epochs):
        schema = schemas.as_json(table.fields, epoch, mapped=table.mapping is not None)
        lines += [f"epoch {epoch}: " + json.dumps(each, ensure_ascii=False) for each in schema["fields"]]
    return "\n".join([*lines, *(line for file in table.files for line in _file(file))])


def _file(file: DataFile) -> Iterator[str]:
    deleted = f", deleted {sorted(file.deleted)} in {file.storage!r}" if file.deleted else ""
    removed = ", removed" if file.removed else ""
    yield f"{file.path}: epoch {file.epoch}{deleted}{removed}, {file.options}"
    yield f"    partition {file.spelled}, stats {file.stats}"
    yield from (f"    row {row}" for row in file.rows)
