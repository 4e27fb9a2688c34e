"""The passwords of a command line."""

from __future__ import annotations

import os

from ..catalog.secrets import Secrets
from .arguments import DATABASE_VARIABLE, Arguments


def secrets_of(given: Arguments) -> Secrets:
    """Returns the passwords in a command line and its environment."""
    return Secrets.of([*given.words, os.environ.get(DATABASE_VARIABLE, "")])
