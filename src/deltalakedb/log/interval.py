"""Intervals in table properties, such as `interval 30 days`. Pure."""

from __future__ import annotations

import re

_UNIT_MS = {
    "nanosecond": 1e-6,
    "microsecond": 1e-3,
    "millisecond": 1,
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 7 * 86_400_000,
}
_PART = re.compile(r"(\d+)\s+([a-z]+?)s?(?=\s|$)")


def interval_ms(text: str | None) -> float | None:
    """Returns an interval such as `interval 30 days` in milliseconds; None where there is none or it is no interval."""
    parts = _PART.findall((text or "").lower())
    if not parts or any(unit not in _UNIT_MS for _, unit in parts):
        return None
    return sum(int(count) * _UNIT_MS[unit] for count, unit in parts)
