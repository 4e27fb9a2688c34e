"""Numbers, sizes, times and names as people read them."""

from __future__ import annotations

import sys

from ...web.words import NONE

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def plural(count: int, noun: str) -> str:
    """Returns `1 file`, `2,000 files`."""
    ending = "" if count == 1 else "es" if noun.endswith("ch") else "s"
    return f"{count:,} {noun}{ending}"


def size(count: int | None) -> str:
    """Returns a number of bytes as `3.4 MiB`."""
    if count is None:
        return "?"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:,.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Returns a time as `850 µs`, `4.2 ms`, `120 ms`, `1.24 s`, `2 min 5 s`, `3 h 10 min`, `2 d 4 h`."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.{0 if seconds >= 0.01 else 1}f} ms"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.{1 if seconds >= 10 else 2}f} s"
    whole = round(seconds)
    for big, small, names in ((_DAY, _HOUR, "d h"), (_HOUR, _MINUTE, "h min"), (_MINUTE, 1, "min s")):
        if whole >= big:
            upper, lower = names.split()
            return f"{whole // big} {upper} {whole % big // small} {lower}"
    return f"{whole} s"


def versions(first: int | None, last: int | None) -> str:
    """Returns `0 to 11`, or a dash where there are none."""
    if last is None:
        return NONE
    return f"{last:,}" if first is None or first == last else f"{first:,} to {last:,}"


def counted_rows(deleted: dict[str, int]) -> str:
    """Returns how many rows of which SQL tables, without the empty ones."""
    counts = [f"{count:,} in {name}" for name, count in deleted.items() if count]
    return ", ".join(counts) or "none"


def printable(text: str) -> str:
    """Returns a text that is safe to show on a terminal: what would steer it is written out."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def speaks_unicode() -> bool:
    """Tells whether stdout can show more than ASCII."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "").startswith("utf")
