"""What is compared of a file, whichever side says it: of an action of the log, and of a row of the catalog.

Validations compare digests first, since a log may hold millions of files, and whole facts only where these differ.
"""

from __future__ import annotations

import base64
import json
import marshal
import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from functools import lru_cache
from hashlib import blake2b, sha256
from operator import itemgetter
from typing import Any, NamedTuple, NoReturn

from ..rows import FileLifetime

Action = dict[str, Any]

PATH_DIGEST = 16

ADD_FIELDS = frozenset(
    {
        "path",
        "partitionValues",
        "size",
        "modificationTime",
        "dataChange",
        "stats",
        "tags",
        "deletionVector",
        "baseRowId",
        "defaultRowCommitVersion",
        "clusteringProvider",
    }
)
REMOVE_FIELDS = (ADD_FIELDS - {"modificationTime", "clusteringProvider"}) | {
    "deletionTimestamp",
    "extendedFileMetadata",
}
_NUMBERS = frozenset({"size", "modificationTime", "deletionTimestamp", "baseRowId", "defaultRowCommitVersion"})
_CHECKPOINTED = frozenset({"size", "modification_time", "partition_values", "deletion_vector", "deletion_vector_id"})
"""What every checkpoint keeps of a file."""


class FileFacts(NamedTuple):
    """A file as an add describes it, or as the remove of a file that was never added does.

    `stats` is text as in the log, or a dictionary where a checkpoint holds them as structs only.
    """

    size: int | None
    modification_time: int | None
    data_change: bool | None
    num_records: int | None
    base_row_id: int | None
    default_row_commit_version: int | None
    clustering_provider: str | None
    partition_values: Action
    deletion_vector: Action | None
    deletion_vector_id: str | None
    tags: Action | None
    extra: Action | None
    stats: str | Action | None

    def digest(self, path: str, added: int | None, salt: bytes) -> bytes:
        """Returns 16 bytes that stand for all of it, for the file's path, and for the version that adds it.

        With 16 random bytes as salt, the same for all digests that are compared, nobody can make a log and a table
        whose sums of digests are equal by design.
        """
        stats = self.stats
        told = stats if stats is None or isinstance(stats, str) else canonical(stats)
        return _short(_as_bytes((path, added, *self[:-1], told)), salt)

    def reduced(self) -> FileFacts:
        """Returns only what every checkpoint keeps of it."""
        nothing: dict[str, Any] = {name: None for name in self._fields if name not in _CHECKPOINTED}
        return self._replace(**nothing)

    def with_parsed_stats(self) -> FileFacts:
        """Returns it with statistics in the form in which those of a checkpoint's structs are compared."""
        return self._replace(stats=parsed_json(self.stats)) if isinstance(self.stats, str) else self


# ---- from the log


def facts_of_add(body: Action) -> FileFacts:
    """Returns the facts of an add, or of a remove in its place."""
    if len(body) == _USUAL_FIELDS:
        usual = _usual(body)
        if usual is not None:
            return usual
    told = body.get  # and all in order, not by name: there are millions of them
    size, modified, stats, vector = told("size"), told("modificationTime"), told("stats"), told("deletionVector")
    return FileFacts(
        size if type(size) is int else whole(size),
        modified if type(modified) is int else whole(modified),
        told("dataChange"),
        num_records(stats),
        whole(told("baseRowId")) if "baseRowId" in body else None,
        whole(told("defaultRowCommitVersion")) if "defaultRowCommitVersion" in body else None,
        told("clusteringProvider"),
        told("partitionValues") or {},
        vector,
        None if vector is None else vector_id(vector),
        told("tags"),
        None if body.keys() <= ADD_FIELDS else {name: body[name] for name in body if name not in ADD_FIELDS},
        stats,
    )


_USUAL_FIELDS = 6
_told = itemgetter("path", "partitionValues", "size", "modificationTime", "dataChange", "stats")


def _usual(body: Action) -> FileFacts | None:
    """Returns the facts of an add with just the fields that most writers give, in half the time; None for others."""
    try:
        _path, partition_values, size, modified, data_change, stats = _told(body)
    except KeyError:
        return None
    if type(size) is not int or type(modified) is not int:
        return None
    records, values = num_records(stats), partition_values or {}
    return FileFacts(size, modified, data_change, records, None, None, None, values, None, None, None, None, stats)


def facts_of_tombstone(remove: Action) -> FileFacts:
    """Returns the facts of a file that is known by its remove alone."""
    shared = (ADD_FIELDS & REMOVE_FIELDS) - {"dataChange"}  # that one is the remove's own
    return facts_of_add({name: value for name, value in remove.items() if name in shared})


def tidy(body: Action, known: frozenset[str]) -> Action:
    """Returns an action without known fields that are null, and with numbers in one form."""
    return {
        name: whole(value) if name in _NUMBERS else value
        for name, value in body.items()
        if value is not None or name not in known
    }


def vector_id(vector: Action | None) -> str | None:
    """Returns a deletion vector's unique id (PROTOCOL.md, "Deletion Vectors", "Derived Fields")."""
    if not vector:
        return None
    offset = vector.get("offset")
    return f"{vector.get('storageType')}{vector.get('pathOrInlineDv')}" + ("" if offset is None else f"@{offset}")


def num_records(stats: str | Action | None) -> int | None:
    """Returns the top-level `numRecords` of statistics."""
    # As nearly every writer has it; decoding all of it takes ten times as long.
    if isinstance(stats, str) and (told := _RECORDS.match(stats)) and stats.find('"numRecords"', told.end()) < 0:
        return _count(int(told[1]))
    return counted(stats)


def counted(stats: str | Action | None) -> int | None:
    """Returns the same, of statistics that are decoded to their end: of those that break off nothing is believed."""
    if isinstance(stats, str):
        try:
            stats = _STRICT.decode(stats)
        except (ValueError, RecursionError):
            return None
    return _count(whole(stats.get("numRecords"))) if isinstance(stats, dict) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


_RECORDS = re.compile(r'\s*\{\s*"numRecords"\s*:\s*(-?[0-9]{1,20})\s*[,}]')


def whole(value: Any) -> Any:
    """Returns a number that is whole as an int, however it is written; anything else as it is."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _MOST_DIGITS and value == int(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch("-?[0-9]{1,1000}", value):
        return int(value)
    return value


# ---- from the catalog


def facts_of_row(row: FileLifetime) -> FileFacts:
    """Returns the facts of a row of `delta_files`."""
    return FileFacts(
        row.size,
        row.modification_time,
        None if row.data_change is None else bool(row.data_change),
        row.num_records,
        row.base_row_id,
        row.default_row_commit_version,
        row.clustering_provider,
        _partition(row.partition_values),
        None if row.deletion_vector is None else parsed_json(row.deletion_vector),
        row.deletion_vector_id,
        None if row.tags is None else parsed_json(row.tags),
        None if row.extra is None else parsed_json(row.extra),
        row.stats,
    )


def remove_of_row(row: FileLifetime, facts: FileFacts) -> Action | None:
    """Returns the remove action that a row stands for, without its path; None where none ended the file.

    Args:
        row: the row.
        facts: what is known of the file itself, for the fields in which the remove repeats it.
    """
    if row.removal is None:
        return None
    removal = _removal(row.removal)
    named = {
        "size": facts.size,
        "stats": facts.stats,
        "partitionValues": facts.partition_values,
        "tags": facts.tags,
        "deletionVector": facts.deletion_vector,
        "baseRowId": facts.base_row_id,
        "defaultRowCommitVersion": facts.default_row_commit_version,
    }
    remove = {name: named.get(name) for name in removal.get("same", ())}
    remove |= removal.get("fields", {}) | removal.get("extra", {})
    if row.deletion_timestamp is not None:
        remove["deletionTimestamp"] = row.deletion_timestamp
    return remove


# ---- digests and JSON


def path_digest(path: str) -> bytes:
    """Returns 16 bytes that stand for a path."""
    return blake2b(path.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def life_digest(file: bytes, ended: int | None, remove: Action | None, salt: bytes) -> bytes:
    """Returns 16 bytes that stand for a file's lifetime.

    Args:
        file: the digest of its facts.
        ended: the version that ends it.
        remove: what ends it.
        salt: that of the facts' digest.
    """
    if ended is None and remove is None:
        return file
    end = "" if remove is None else repr(sorted(remove.items()))
    return _short(file + f"{ended} {end}".encode("utf-8", "surrogatepass"), salt)


def row_digest(row: FileLifetime, salt: bytes) -> bytes:
    """Returns the `life_digest` of a row, in two thirds of the time that it takes by way of its facts."""
    # fmt: off
    (path, added, ended, size, modified, data_change, records, row_id, row_version, clustering, _, values, stats,
     vector, vector_id, tags, extra, removal, _, _, _, _) = row
    told = (
        path, added, size, modified, None if data_change is None else bool(data_change), records, row_id, row_version,
        clustering, _partition(values), None if vector is None else parsed_json(vector), vector_id,
        None if tags is None else parsed_json(tags), None if extra is None else parsed_json(extra), stats,
    )
    # fmt: on
    file = _short(_as_bytes(told), salt)
    if ended is None and removal is None:
        return file
    return life_digest(file, ended, remove_of_row(row, facts_of_row(row)), salt)


class Actions:
    """File actions of one commit, added up as `Sums` adds up lifetimes: how many there are, and which."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self.adds = self.removes = self.sum = 0

    def add(self, key: bytes) -> None:
        """Adds an add, by its path's digest and that of its deletion vector's id, where it has one."""
        self.adds += 1
        self.sum += int.from_bytes(_short(b"+" + key, self._salt), "little")

    def remove(self, key: bytes) -> None:
        """Adds a remove, by the same."""
        self.removes += 1
        self.sum += int.from_bytes(_short(b"-" + key, self._salt), "little")

    def differ(self, other: Actions) -> bool:
        """Tells whether another reader has found other actions."""
        return self.sum != other.sum

    def __str__(self) -> str:
        return f"{self.adds} adds and {self.removes} removes ({self.sum & 0xFFFFFFFF:08x})"


class Sums:
    """The digests of many lifetimes, added up in piles by the beginning of their paths' digests.

    What two readers have found is the same where the sums of a pile are. However many files there are, memory holds
    no more than the sums: about 3 MB.
    """

    def __init__(self) -> None:
        self._piles = [0] * (1 << 16)

    def add(self, path: bytes, life: bytes) -> None:
        """Adds a lifetime by the digest of its file's path, or what begins with it, and its `life_digest`."""
        self._piles[path[0] << 8 | path[1]] += int.from_bytes(life, "little")  # pile_of, in place

    def differ(self, other: Sums) -> set[int]:
        """Returns the piles that differ from those of another reader."""
        pairs = zip(self._piles, other._piles, strict=True)
        return {pile for pile, (mine, theirs) in enumerate(pairs) if mine != theirs}


def _as_bytes(values: tuple[Any, ...]) -> bytes:
    """Returns bytes that are the same only for the same values of the same types.

    `marshal` takes a quarter of the time of a text, and has numbers, texts, lists and objects of any depth that
    recursion allows, but no Decimal. Its version 2 doesn't tell whether a value is used in two places.
    """
    try:
        return marshal.dumps(values, 2)
    except ValueError:
        return repr(values).encode("utf-8", "surrogatepass")


def _short(data: bytes, salt: bytes) -> bytes:
    return sha256(salt + data).digest()[:16]  # processors have instructions for it: two thirds of blake2b's time


def pile_of(path_digest: bytes) -> int:
    """Returns the pile to which a path's lifetimes belong."""
    return path_digest[0] << 8 | path_digest[1]


DECODER = json.JSONDecoder(parse_float=Decimal)  # exact, so that a size of 500.0 is a whole number

_MOST_DIGITS = 4300


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _MOST_DIGITS else Decimal(digits)


PATIENT_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=_integer)
"""The same for numbers of more digits than Python makes an int of, in three times the time."""


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_STRICT = json.JSONDecoder(parse_float=Decimal, parse_constant=_refused)


def parsed_json(text: str | None) -> Any:
    """Returns the value of a JSON text; the text itself where it is none."""
    if text is None:
        return None
    for decoder in (DECODER, PATIENT_DECODER):
        try:
            return decoder.decode(text)
        except json.JSONDecodeError:
            break
        except ValueError:
            continue
    return text


@lru_cache(maxsize=10_000)
def _partition(text: str) -> Action:
    return parsed_json(text) or {}


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


@lru_cache(maxsize=10_000)
def _removal(text: str) -> Action:
    """Returns what a row says of its remove, most of them the same; something else than that is a field of its own."""
    value = parsed_json(text)
    if isinstance(value, dict):
        fields, extra, same = value.get("fields", {}), value.get("extra", {}), value.get("same", [])
        if isinstance(fields, dict) and isinstance(extra, dict) and _are_names(same):
            return value
    return {"fields": {"removal": value}}


_EXACT = Context(prec=100)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*")


def canonical(value: Any) -> Any:
    """Returns a value in one form, whether it comes from JSON or from Parquet: statistics are compared so."""
    if isinstance(value, dict):
        return {name: canonical(item) for name, item in sorted(value.items()) if item is not None}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _number(value)
    return _time(value)


def _number(value: float | Decimal) -> str:
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return str(number.normalize(_EXACT)) if number.is_finite() else str(number)


def _time(value: Any) -> Any:
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    return value.isoformat() if isinstance(value, date) else value
