"""Logs that are read by processes of their own, however small they are and whatever the machine."""

import pytest

from deltalakedb.migrate import processes


def read_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every log read by a process of its own, until the end of the test."""
    monkeypatch.setattr(processes, "LARGE_FROM_BYTES", 0)
    monkeypatch.setattr(processes, "_processors", lambda: 2)
