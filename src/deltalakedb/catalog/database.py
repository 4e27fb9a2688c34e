"""Connections and transactions: one way to the database, with our errors in place of the driver's."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from os import PathLike, fspath
from typing import TypeVar
from urllib.parse import unquote

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError as UrlError
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ..errors import (
    ArgumentError,
    CatalogError,
    DatabaseConnectionError,
    DatabaseTimeoutError,
    DeltaLakeDBError,
)
from ..home import home_expanded
from . import upgrade
from .dialects import dialect_for
from .options import DatabaseOptions
from .secrets import Secrets
from .urls import DatabaseUrl, masked, taken_apart

T = TypeVar("T")

DEFAULT_URL = "sqlite:///deltalakedb.db"


class Database:
    """A database that holds a catalog, or will.

    Nothing is opened before it is needed. A reader never makes anything: not a file, not a table.

    Args:
        url: as users write it: `sqlite:///file.db`, `postgresql://user:password@host/database?sslmode=require`.
        options: how it is used.

    Raises:
        ArgumentError: not a URL, a kind of database that we don't know, or an option that it doesn't have.
    """

    def __init__(self, url: str | PathLike[str], options: DatabaseOptions | None = None) -> None:
        url = fspath(url)  # a path is no URL either, and is told so
        self.url = _parse(url)
        self.options = options or DatabaseOptions()
        self._secrets = Secrets.of(urls=[url])
        self.dialect = dialect_for(self.url.drivername, masked(url).partition("://")[2])
        self._ready = False  # the tables are there and of this release
        self.has_answered = False  # since the command began: a server that did, and is silent now, is away for a while
        if any("\0" in part for part in (self.url.database, self.url.host, self.url.username) if part):
            raise ArgumentError(f"Not a database URL: {self.where!a}", "There is a NUL in it.")
        if self.dialect.name == "sqlite" and self.url.host:
            raise ArgumentError(
                f"Not a database URL: {self.where}",
                "A slash is missing: it is sqlite:///relative/file.db or sqlite:////absolute/file.db.",
            )
        if self.dialect.name == "sqlite" and self.url.database in (None, "", ":memory:"):
            raise ArgumentError("A catalog needs a database file.", "Name one: sqlite:///deltalakedb.db")
        if self.options.schema is not None and not self.dialect.has_schemas:
            raise ArgumentError(f"A catalog in {self.dialect.name} has no schema.", "Schemas are PostgreSQL's.")

    @property
    def where(self) -> str:
        """The URL for people: without its password, with the schema behind it."""
        where = self.scrub(masked(self.url.render_as_string(hide_password=True)))
        return where if self.options.schema is None else f"{where}, schema {self.options.schema}"

    def scrub(self, text: str) -> str:
        """Returns a text without the password, should it be in there."""
        return self._secrets.scrub(text)

    def describe(self, error: BaseException) -> str:
        """Returns what went wrong in one line, in our words where it was the database, without the password."""
        if isinstance(error, DBAPIError):
            error = error.orig or error
        ours = error if isinstance(error, DeltaLakeDBError) else self.dialect.explain(error, self.where)
        return self.scrub(f"{type(error).__name__}: {error}" if ours is None else ours.message)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yields a connection with one snapshot of the catalog.

        Raises:
            DatabaseConnectionError: the database isn't there, or holds no catalog.
            SchemaVersionError: its tables were made by another release.
            PermissionDeniedError: the database hides all of it from this role.
        """
        if self.dialect.missing(self.url):
            raise DatabaseConnectionError(
                f"Database connection failed: there is no catalog at {self.where}",
                "Name the database with --database-url, or import a table first.",
            )
        with self._errors(), self._reader.connect() as connection, connection.begin():
            self.has_answered = True
            upgrade.check(connection, self.where)
            self.dialect.check_sight(connection, self.where)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yields a connection whose transactions the caller begins; makes or upgrades the tables first."""
        with self._errors(), self._writer.connect() as connection:
            self.has_answered = True
            if not self._ready:
                upgrade.ensure(connection, self.dialect, self.where, self.options.schema)
                with connection.begin():
                    self.dialect.check_sight(connection, self.where)
                self._ready = True
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yields a connection inside one durable transaction."""
        with self.writing() as connection:
            self.dialect.harden(connection)
            with connection.begin():
                yield connection

    def translated(self, rows: Iterable[T]) -> Generator[T, None, None]:
        """Yields rows of this database with its errors as ours: another one may be at work beside it.

        Whoever stops before the last one has to close the generator, which closes that of the rows.
        """
        with self._errors():
            yield from rows

    def has_catalog(self) -> bool:
        """Tells whether there is a catalog, by reading only."""
        if self.dialect.missing(self.url):
            return False
        with self._errors(), self._reader.connect() as connection:
            self.has_answered = True
            return bool(upgrade.version_of(connection))

    def forget_connections(self) -> None:
        """Closes connections that nobody uses: after an outage they are dead."""
        for name in ("_reader", "_writer"):
            engine = self.__dict__.get(name)
            if engine is not None:
                engine.dispose()

    def close(self) -> None:
        """Closes every connection."""
        for name in ("_reader", "_writer"):
            engine = self.__dict__.pop(name, None)
            if engine is not None:
                engine.dispose()

    @cached_property
    def _reader(self) -> Engine:
        return self.dialect.engine(self.url, self.options, read_only=True)

    @cached_property
    def _writer(self) -> Engine:
        return self.dialect.engine(self.url, self.options, read_only=False)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DeltaLakeDBError:
            raise
        except DBAPIError as error:
            raise self._ours(error.orig or error) from error
        except PoolTimeoutError as error:
            raise DatabaseTimeoutError(
                f"All {self.options.pool_size} connections to {self.where} were in use for too long",
                "Give more of them (--pool-size), or ask less at a time.",
            ) from error
        except SQLAlchemyError as error:
            raise CatalogError(self.scrub(f"The database refused: {error}")) from error
        except Exception as error:
            ours = self.dialect.explain(error, self.where)
            if ours is None:
                raise
            raise self._ours(error) from error

    def _ours(self, error: BaseException) -> DeltaLakeDBError:
        ours = self.dialect.explain(error, self.where)
        if ours is None:
            return CatalogError(self.scrub(f"The database refused: {error} ({self.where})"))
        if isinstance(ours, DatabaseConnectionError) and ours.silent and self.has_answered:
            ours.transient = True
        ours.message = self.scrub(ours.message)
        ours.args = (ours.message,)
        ours.of_database = True
        return ours


def _parse(url: str) -> URL:
    parts = taken_apart(url)
    parsed: URL | None = None
    if parts is not None and _HOSTS.search(parts.hosts):
        parsed = _of_hosts(parts)
    elif parts is not None:
        with suppress(UrlError, NoSuchModuleError, ValueError):  # not passed on: they may quote the password
            parsed = make_url(url)
    if parsed is None:
        raise ArgumentError(
            "The database URL can't be understood.",
            "It has the form postgresql://user:password@host:port/database or sqlite:///path/to/file.db; "
            "in a name or a password, write @ as %40 and / as %2F.",
        )
    parsed = parsed.set(drivername=parsed.drivername.lower())
    if parsed.drivername.startswith("sqlite") and parsed.database and parsed.database.startswith("~"):
        return parsed.set(database=home_expanded(parsed.database))
    return parsed


_HOSTS = re.compile(r",|%2f", re.I)
"""In several hosts, or in the folder of a Unix socket."""

_HOST_AND_PORT = re.compile(r"^(\[.*\]|[^:]*):\d*$")


def _of_hosts(parts: DatabaseUrl) -> URL:
    """Returns the URL of a server at one of several hosts, or at a Unix socket, which only libpq knows.

    Source: PostgreSQL, "Connection Strings", "Specifying Multiple Hosts".
    """
    if parts.scheme.lower().partition("+")[0] not in ("postgresql", "postgres"):
        raise ArgumentError(
            f"Only PostgreSQL takes several hosts, or a folder: {parts.masked}",
            "Name one host; for a socket of MySQL, write ?unix_socket=/path/to/socket.",
        )
    places = [_HOST_AND_PORT.sub(r"\1", one) for one in parts.hosts.split(",")]
    ports = [one[len(place) + 1 :] for one, place in zip(parts.hosts.split(","), places, strict=True)]
    query: dict[str, list[str]] = {"host": [",".join(unquote(place).strip("[]") for place in places)]}
    if any(ports):
        query["port"] = [",".join(ports)]
    for name, value in parts.options:
        query.setdefault(name, []).append(value)
    password = None if parts.password is None else unquote(parts.password)
    return URL.create(
        parts.scheme,
        parts.user,
        password,
        database=parts.database,
        query={name: values[0] if len(values) == 1 else values for name, values in query.items()},
    )
