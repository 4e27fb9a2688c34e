"""What a log record says to machines, beside its message for people."""

from __future__ import annotations

from typing import Any


def step(name: str, **fields: Any) -> dict[str, Any]:
    """Returns the `extra` of a log call: which step was done, of which table, at which version, in how many seconds.

    `--log-format json` writes them as fields of the line.
    """
    return {"fields": {"step": name, **fields}}
