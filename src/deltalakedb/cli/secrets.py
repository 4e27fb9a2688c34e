"""The passwords of a command line, and the keys of its object stores."""

from __future__ import annotations

import os

from ..catalog.secrets import Secrets
from ..log.remote.options import is_secret, secret_values
from .arguments import DATABASE_VARIABLE, READ_VARIABLE, WEBHOOK_VARIABLE, Arguments

_CLOUDS = ("AWS_", "AZURE_", "GOOGLE_")


def secrets_of(given: Arguments) -> Secrets:
    """Returns the passwords and keys in a command line and its environment."""
    keys = secret_values(given.storage_options())
    keys += [value for name, value in os.environ.items() if name.startswith(_CLOUDS) and is_secret(name)]
    keys += filter(None, (given.webhook, os.environ.get(WEBHOOK_VARIABLE)))
    urls = [os.environ.get(variable, "") for variable in (DATABASE_VARIABLE, READ_VARIABLE)]
    return Secrets.of(given.words, keys, urls=filter(None, [*urls, *given.database_urls]))
