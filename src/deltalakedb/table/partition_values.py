"""Partition values as the log spells them → typed columns (PROTOCOL.md, "Partition Value Serialization")."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_ZONED = r"(Z|[+-]\d\d:?\d\d)$"


def typed(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Returns partition values as `kind`; null where the log has null or the empty text, or no value of that type."""
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    if pa.types.is_string(kind):
        return texts
    if pa.types.is_binary(kind):
        return pa.array([None if text is None else text.encode() for text in texts.to_pylist()], kind)
    try:
        return _timestamps(texts, kind) if pa.types.is_timestamp(kind) else pc.cast(texts, kind)
    except pa.ArrowException:
        return pa.array([_one(text, kind) for text in texts.to_pylist()], kind)


def _timestamps(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Times come with a zone or without one, which then is UTC."""
    if kind.tz is None:
        return pc.cast(texts, kind)
    zoned = pc.match_substring_regex(texts, _ZONED)
    null = pa.scalar(None, pa.string())
    with_zone = pc.cast(pc.if_else(zoned, texts, null), kind)
    without = pc.cast(pc.if_else(zoned, null, texts), pa.timestamp("us"))
    return pc.coalesce(with_zone, pc.assume_timezone(without, kind.tz))


def _one(text: str | None, kind: pa.DataType) -> Any:
    if text is None:
        return None
    try:
        return pc.cast(pa.scalar(text), kind).as_py()
    except pa.ArrowException:
        return None


def spelled(values: pa.Array) -> list[str | None]:
    """Returns typed values as delta-rs spells them: times with a blank, and as many decimals as it takes."""
    if pa.types.is_boolean(values.type):
        return [None if value is None else str(value).lower() for value in values.to_pylist()]
    if pa.types.is_timestamp(values.type):
        return [None if value is None else _spelled_time(value) for value in values.to_pylist()]
    if pa.types.is_date(values.type):
        return [None if value is None else date.isoformat(value) for value in values.to_pylist()]
    if pa.types.is_binary(values.type):
        return [None if value is None else value.decode(errors="replace") for value in values.to_pylist()]
    return [None if value is None else str(value) for value in values.to_pylist()]


def _spelled_time(value: datetime) -> str:
    """As `%Y-%m-%d %H:%M:%S%.f` of Rust's chrono: no decimals, three, or six."""
    utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    digits = "" if not utc.microsecond else "milliseconds" if utc.microsecond % 1000 == 0 else "microseconds"
    return utc.isoformat(" ", digits or "seconds")
