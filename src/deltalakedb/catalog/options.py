"""How a database is used, beside its URL."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ArgumentError

POOL_SIZE = 15
"""Connections that one process has open at most for reading, and as many for writing."""


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """What the user may say about connections. All but the schema is for servers only.

    Attributes:
        schema: where the tables are; None for where the role's search path leads. PostgreSQL only.
        pool_size: how many connections to read by, and to write by, a process has open at most.
        connect_timeout: seconds to wait for a server; None for what the URL says, or 10.
        statement_timeout: seconds after which the server gives up on a statement; None for what the server says.
    """

    schema: str | None = None
    pool_size: int = POOL_SIZE
    connect_timeout: int | None = None
    statement_timeout: float | None = None

    def __post_init__(self) -> None:
        if self.schema == "":
            raise ArgumentError("A schema needs a name.")
        for name in ("pool_size", "connect_timeout", "statement_timeout"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ArgumentError(f"The {name.replace('_', ' ')} must be more than 0, not {value}")
