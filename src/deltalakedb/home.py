"""`~` in paths that no shell has seen: behind an option's `=`, in a variable, in a file of settings."""

from __future__ import annotations

from pathlib import Path


def home_expanded(path: str) -> str:
    """Returns a path with the home folder for a `~` at its beginning; as it is where there is no such home."""
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        return path
