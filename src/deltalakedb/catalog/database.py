"""Connections and transactions: one way to the database, with our errors in place of the driver's."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from os import PathLike, fspath
from typing import TypeVar

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
from . import upgrade
from .dialects import dialect_for
from .options import DatabaseOptions
from .secrets import Secrets

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
        self._secrets = Secrets.of([url])
        self.dialect = dialect_for(self.url.drivername)
        self._ready = False  # the tables are there and of this release
        if any("\0" in part for part in (self.url.database, self.url.host, self.url.username) if part):
            raise ArgumentError(f"Not a database URL: {self.where!a}", "There is a NUL in it.")
        if self.dialect.name == "sqlite" and self.url.database in (None, "", ":memory:"):
            raise ArgumentError("A catalog needs a database file.", "Name one: sqlite:///deltalakedb.db")
        if self.options.schema is not None and not self.dialect.has_schemas:
            raise ArgumentError(f"A catalog in {self.dialect.name} has no schema.", "Schemas are PostgreSQL's.")

    @property
    def where(self) -> str:
        """The URL for people: without its password, with the schema behind it."""
        where = self.scrub(self.url.render_as_string(hide_password=True))
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
        """
        if self.dialect.missing(self.url):
            raise DatabaseConnectionError(
                f"Database connection failed: there is no catalog at {self.where}",
                "Name the database with --database-url, or import a table first.",
            )
        with self._errors(), self._reader.connect() as connection, connection.begin():
            upgrade.check(connection, self.where)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yields a connection whose transactions the caller begins; makes or upgrades the tables first."""
        with self._errors(), self._writer.connect() as connection:
            if not self._ready:
                upgrade.ensure(connection, self.dialect, self.where, self.options.schema)
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

    def _ours(self, error: BaseException) -> CatalogError | Exception:
        ours = self.dialect.explain(error, self.where)
        if ours is None:
            return CatalogError(self.scrub(f"The database refused: {error} ({self.where})"))
        ours.message = self.scrub(ours.message)
        ours.args = (ours.message,)
        return ours


def _parse(url: str) -> URL:
    parsed: URL | None
    try:
        parsed = make_url(url)
    except (UrlError, NoSuchModuleError, ValueError):
        parsed = None  # the error is not passed on: it may quote the password
    if parsed is None or "@" in (parsed.host or ""):
        raise ArgumentError(
            "The database URL can't be understood.",
            "It has the form postgresql://user:password@host:port/database or sqlite:///path/to/file.db; "
            "in a password, write @ as %40 and / as %2F.",
        )
    return parsed.set(drivername=parsed.drivername.lower())
