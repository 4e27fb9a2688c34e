"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

NONE = "–"  # noqa: RUF001 (a dash that nobody takes for a minus)


def count(number: float | None) -> str:
    """Returns `1,234`."""
    return NONE if number is None else f"{number:,.0f}"


def short(number: float | None) -> str:
    """Returns `1,234` or `1.2 M`."""
    if number is None:
        return NONE
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:,.0f}"


def size(number: float | None) -> str:
    """Returns `1.5 MiB`."""
    if number is None:
        return NONE
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} TiB"


def share(part: float | None) -> str:
    """Returns `12%`; never 100% or 0% for what isn't quite that."""
    if part is None:
        return "…"
    if 0 < part < 0.01:
        return "<1%"
    return ">99%" if 0.99 < part < 1 else f"{part:.0%}"


def duration(seconds: float | None) -> str:
    """Returns `40 s`, `12 min`, `3 h`, `5 d`."""
    if seconds is None:
        return NONE
    for unit, length, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        if seconds / length < most:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:,.0f} d"


def time_of(value: datetime | int | None) -> datetime | None:
    """Returns a time; None for one that can't be: a writer's clock may have said anything."""
    if isinstance(value, int):
        try:
            return datetime.fromtimestamp(value / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return value


def moment(value: datetime | int | None) -> str:
    """Returns `2026-01-31 12:00:00`, in UTC."""
    found = time_of(value)
    if found is None:
        return NONE if value is None else f"{value} ms"
    return f"{found:%Y-%m-%d %H:%M:%S}"


def ago(value: datetime | int | None) -> str:
    """Returns `3 min ago`; empty for what can't be told so."""
    found = time_of(value)
    if found is None:
        return ""
    seconds = (datetime.now(UTC) - found).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"


def size_class(below: int | None) -> str:
    """Returns `< 1 MiB`, or `larger` for the class without an end."""
    if below is None:
        return "larger"
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if below >= 1 << power:
            return f"< {below >> power} {unit}"
    return f"< {below} B"
