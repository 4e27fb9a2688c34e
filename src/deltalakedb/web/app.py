"""The pages, each with its JSON twin."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio.to_thread import run_sync
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..catalog import overview, registry
from ..catalog.database import Database
from ..catalog.owner import people_say
from ..catalog.portrait import Document
from ..errors import DatabaseTimeoutError, DeltaLakeDBError, TableNotFoundError
from . import charts, words
from .documents import FILTERS, STATE_SECONDS, STATES, Documents, LakeQuery, TableQuery
from .guard import Guard
from .logs import LogWatch
from .metrics import Metrics
from .openapi import DESCRIPTION
from .recent import Recent

_HERE = Path(__file__).parent
_ANSWERS_KEPT = 500
_HTML, _JSON, _TEXT = "text/html", "application/json", "text/plain"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server goes about its work.

    Attributes:
        token: is asked for where it is given.
        patience: seconds that a page waits for the database.
        fresh: seconds for which an answer is good for other readers, too.
        refresh: seconds after which a page that is looked at is fetched anew.
        log_patience: seconds that a page waits for a look at a table's log.
        storage_options: for the logs of tables in object stores.
        scrub: takes secrets out of messages.
    """

    token: str | None = None
    patience: float = 10.0
    fresh: float = 1.0
    refresh: float = 3.0
    log_patience: float = 0.15
    storage_options: Mapping[str, str] | None = None
    scrub: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    media_type: str
    code: int = 200

    def response(self) -> Response:
        return Response(self.body, self.code, media_type=self.media_type)


def make_app(database: Database, manner: Manner | None = None) -> Starlette:
    """Returns the application over a catalog."""
    manner = manner or Manner()
    pages = _Pages(database, manner)
    kept = {
        "/": pages.lake,
        "/table": pages.table,
        "/api/lake": pages.lake_json,
        "/api/table": pages.table_json,
        "/metrics": pages.prometheus,
    }
    routes = [
        *(Route(path, pages.endpoint(page, keep=True)) for path, page in kept.items()),
        Route("/readyz", pages.endpoint(pages.ready, keep=False)),
        Route("/openapi.json", _described),
        Route("/favicon.ico", _icon),  # asked for beside what isn't a page
        Route("/healthz", _healthy),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, token=manner.token)],
        exception_handlers={HTTPException: pages.refused, Exception: pages.broken},
    )


# Coroutines, as they need no thread: where the database hangs, all threads may wait for it.


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _described(_request: Request) -> Response:
    return Response(_encoded(DESCRIPTION), media_type=_JSON)


async def _icon(_request: Request) -> Response:
    return FileResponse(_HERE / "static" / "icon.svg")


class _Pages:
    """Pages are plain functions and run in threads, beside each other."""

    def __init__(self, database: Database, manner: Manner) -> None:
        self._database = database
        self._manner = manner
        self._metrics = Metrics(database, manner.patience)
        logs = LogWatch(manner.storage_options or {}, self._scrub, patience=manner.log_patience)
        self._documents = Documents(database, logs, manner.patience, manner.fresh, self._metrics.queries, self._scrub)
        self._answers: Recent[_Answer] = Recent(manner.fresh, _ANSWERS_KEPT)
        self._drawn: Recent[dict[str, Markup]] = Recent(STATE_SECONDS, STATES)
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        named = ("count", "short", "size", "share", "duration", "moment", "ago", "size_class")
        self._templates.filters.update({name: getattr(words, name) for name in named})
        self._templates.filters["owner"] = people_say
        self._templates.globals.update(charts=charts, words=words, filters=FILTERS, sorts=overview.SORTS)
        self._templates.globals["refresh_ms"] = int(manner.refresh * 1000)

    def _scrub(self, text: str) -> str:
        return self._manner.scrub(self._database.scrub(text))

    # ---- the pages

    def lake(self, request: Request) -> _Answer:
        return self._page("lake.html", 200, lake=self._documents.lake(LakeQuery.of(request.query_params)))

    def lake_json(self, request: Request) -> _Answer:
        return _Answer(_encoded(self._documents.lake(LakeQuery.of(request.query_params))), _JSON)

    def table(self, request: Request) -> _Answer:
        table = self._documents.table(TableQuery.of(request.query_params))
        state = table["state"]
        drawn = None
        if state is not None:
            key = (table["table_id"], state["version"], state["imported_at"], state["bytes"])
            drawn = self._drawn.get(key, lambda: _draw(state))
        return self._page("table.html", 200, table=table, drawn=drawn)

    def table_json(self, request: Request) -> _Answer:
        return _Answer(_encoded(self._documents.table(TableQuery.of(request.query_params))), _JSON)

    def prometheus(self, _request: Request) -> _Answer:
        return _Answer(self._metrics.text(), _PROMETHEUS)

    def ready(self, _request: Request) -> _Answer:
        self._documents.asked("readyz", lambda _connection: None)
        return _Answer(b"ready\n", _TEXT)

    # ---- how they are answered

    def endpoint(self, page: Callable[[Request], _Answer], *, keep: bool) -> Callable[[Request], Awaitable[Response]]:
        """Returns what answers requests of a page: from what was just made, else in a thread, and not too late."""

        def answer(request: Request) -> _Answer:
            return self._answers.get(request.url.path + "?" + request.url.query, partial(page, request))

        async def respond(request: Request) -> Response:
            kept = self._answers.peek(request.url.path + "?" + request.url.query) if keep else None
            if kept is not None:
                return kept.response()
            try:
                with anyio.fail_after(self._manner.patience + 1):
                    made = await run_sync(answer if keep else page, request, abandon_on_cancel=True)
            except TimeoutError:
                late = f"The database gave up: {self._database.where} has not answered for a while"
                made = self._failed(request, DatabaseTimeoutError(late, "Try again."))
            except DeltaLakeDBError as error:
                made = self._failed(request, error)
            return made.response()

        return respond

    def _failed(self, request: Request, error: Exception) -> _Answer:
        """Says what the catalog refused; 404 for a table that nobody knows, else 503."""
        self._metrics.errors.labels(type(error).__name__).inc()
        code = 404 if isinstance(error, TableNotFoundError) else 503
        return self._said(request, code, type(error).__name__, self._scrub(self._database.describe(error)))

    async def refused(self, request: Request, error: Exception) -> Response:
        """A path that isn't there, or a method that isn't allowed."""
        assert isinstance(error, HTTPException)
        answer = self._said(request, error.status_code, "HTTPException", error.detail)
        return Response(answer.body, answer.code, error.headers, answer.media_type)

    async def broken(self, request: Request, error: Exception) -> Response:
        """A mistake of ours: the log has the traceback, the page doesn't."""
        self._metrics.errors.labels(type(error).__name__).inc()
        return self._said(request, 500, type(error).__name__, "This page could not be made.").response()

    def _said(self, request: Request, code: int, kind: str, message: str) -> _Answer:
        path = request.url.path
        if path.startswith("/api/"):
            return _Answer(_encoded({"error": {"type": kind, "message": message}}), _JSON, code)
        if path in ("/readyz", "/metrics"):
            return _Answer(f"{message}\n".encode(), _TEXT, code)
        return self._page("error.html", code, code=code, message=message)

    def _page(self, template: str, status: int, **values: Any) -> _Answer:
        url = self._database.url
        where = f"{url.host}/{url.database}" if url.host else Path(url.database or "").name
        text = self._templates.get_template(template).render(**values, where=where, now=registry.now())
        return _Answer(text.encode(), _HTML, status)


def _draw(state: Document) -> dict[str, Markup]:
    """Returns the charts of a table, which take longer than the rest of its page."""
    at = f"at version {state['version']}"
    files, size = f"{state['files']:,} {at}", f"{words.size(state['bytes'])} {at}"
    classes = "; ".join(f"{words.size_class(one['below_bytes'])}: {one['files']:,}" for one in state["sizes"])
    return {
        "files": charts.over_time(state["growth"], "files", f"Files over time: {files}", words.short),
        "bytes": charts.over_time(state["growth"], "bytes", f"Size over time: {size}", words.size),
        "sizes": charts.sizes(state["sizes"], f"Files by size. {classes}"),
    }


def _encoded(document: Any) -> bytes:
    return json.dumps(document, default=_plain).encode()


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
