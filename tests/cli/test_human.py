from datetime import UTC, datetime

import pytest

from deltalakedb.cli.output import human
from deltalakedb.web import words


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (150 * 1024, "150 KiB"), (3 << 30, "3.0 GiB"), (None, "?")],
)
def test_size(count: int | None, expected: str):
    assert human.size(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.00085, "850 µs"),
        (0.0042, "4.2 ms"),
        (0.1234, "123 ms"),
        (1.239, "1.24 s"),
        (12.34, "12.3 s"),
        (59.97, "1 min 0 s"),
        (125.2, "2 min 5 s"),
        (3599.9, "1 h 0 min"),
        (11_400, "3 h 10 min"),
        (2 * 86400 + 4 * 3600, "2 d 4 h"),
    ],
)
def test_duration(seconds: float, expected: str):
    assert human.duration(seconds) == expected


def test_plural():
    assert [human.plural(n, "file") for n in (0, 1, 2000)] == ["0 files", "1 file", "2,000 files"]


def test_versions():
    assert [human.versions(0, 11), human.versions(3, 3), human.versions(None, 2)] == ["0 to 11", "3", "2"]


def test_moment():
    assert words.moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02 03:04:05"


def test_printable():
    assert human.printable("größe ☃\x1b[1m\n\udce9") == "größe ☃\\x1b[1m\\n\\udce9"
