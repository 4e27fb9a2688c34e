"""The pages, each with its JSON twin."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..catalog import overview
from ..catalog.database import Database
from ..catalog.problems import problems
from ..catalog.registry import TableEntry
from ..errors import DeltaLakeDBError, TableNotFoundError
from . import charts
from .guard import Guard
from .metrics import Metrics
from .openapi import DESCRIPTION

_HERE = Path(__file__).parent
_STATUSES = ("", "completed", "running", "failed", "interrupted")
_PROBLEMS_SHOWN = 100
_CHART_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Charts are images: their inline styles reach nobody but themselves."""


def make_app(database: Database, token: str | None = None) -> Starlette:
    """Returns the application over a catalog; `token` is asked for where it is given."""
    pages = _Pages(database)
    routes = [
        Route("/", pages.lake),
        Route("/table", pages.table),
        Route("/api/lake", pages.lake_json),
        Route("/api/table", pages.table_json),
        Route("/chart/growth.svg", pages.growth),
        Route("/chart/sizes.svg", pages.sizes),
        Route("/openapi.json", lambda _request: _json(DESCRIPTION)),
        Route("/metrics", pages.prometheus),
        Route("/healthz", lambda _request: PlainTextResponse("ok\n")),
        Route("/readyz", pages.ready),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, token=token)],
        exception_handlers={DeltaLakeDBError: pages.failed},
    )


class _Pages:
    """Endpoints that are plain functions: Starlette runs them in threads, beside each other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._metrics = Metrics(database)
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
        )
        self._templates.filters.update(count=_count, size=_size, moment=_moment, share=_share)

    def lake(self, request: Request) -> Response:
        return self._page("lake.html", 200, lake=self._asked("lake", lambda connection: _lake(connection, request)))

    def lake_json(self, request: Request) -> Response:
        return _json(self._asked("lake", lambda connection: _lake(connection, request)))

    def table(self, request: Request) -> Response:
        return self._page("table.html", 200, table=self._table(request), size_class=charts.size_class)

    def table_json(self, request: Request) -> Response:
        return _json(self._table(request))

    def growth(self, request: Request) -> Response:
        return _image(charts.growth(self._of_state(request, overview.growth) or []))

    def sizes(self, request: Request) -> Response:
        found = self._of_state(request, overview.files)
        return _image(charts.sizes(found["sizes"] if found else []))

    def prometheus(self, _request: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def ready(self, _request: Request) -> Response:
        with self._database.reading():
            return PlainTextResponse("ready\n")

    def failed(self, request: Request, error: Exception) -> Response:
        """Says what the catalog refused; 404 for a table that nobody knows, else 503."""
        self._metrics.errors.labels(type(error).__name__).inc()
        code = 404 if isinstance(error, TableNotFoundError) else 503
        message = self._database.describe(error)
        if request.url.path.startswith("/api/"):
            return _json({"error": {"type": type(error).__name__, "message": message}}, code)
        if request.url.path == "/readyz":
            return PlainTextResponse(f"{message}\n", code)
        return self._page("error.html", code, message=message)

    def _table(self, request: Request) -> dict[str, Any]:
        table_id = request.query_params.get("id", "")
        found: dict[str, Any] | None = self._asked("table", lambda connection: overview.table(connection, table_id))
        if found is None:
            raise TableNotFoundError(f"There is no table {table_id!r} in the catalog")
        return found

    def _of_state(self, request: Request, ask: Callable[[Connection, TableEntry], Any]) -> Any:
        """Asks for one part of a table's state; None where it can't be read yet."""

        def ask_of(connection: Connection) -> Any:
            entry = overview.state(connection, request.query_params.get("id", ""))
            return None if entry is None else ask(connection, entry)

        return self._asked("table", ask_of)

    def _asked(self, page: str, ask: Callable[[Connection], Any]) -> Any:
        with self._metrics.queries.labels(page).time(), self._database.reading() as connection:
            return ask(connection)

    def _page(self, name: str, code: int, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(**values), code)


def _lake(connection: Connection, request: Request) -> dict[str, Any]:
    search, status = request.query_params.get("search", "")[:255], request.query_params.get("status", "")
    status = status if status in _STATUSES else ""
    number = request.query_params.get("page", "0")
    page = min(int(number), 1_000_000) if number.isascii() and number.isdigit() and len(number) < 9 else 0
    wrong = problems(connection)
    found = overview.tables(connection, search=search, status=status, page=page)
    return {
        **overview.lake(connection),
        "problems_total": len(wrong),
        "problems": [asdict(one) for one in wrong[:_PROBLEMS_SHOWN]],
        "search": search,
        "status": status,
        "page": page,
        "has_more": len(found) > overview.PAGE,
        "page_of_tables": found[: overview.PAGE],
    }


def _json(document: Any, code: int = 200) -> Response:
    return Response(json.dumps(document, default=_plain), code, media_type="application/json")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _image(svg: bytes) -> Response:
    return Response(svg, media_type="image/svg+xml", headers={"Content-Security-Policy": _CHART_POLICY})


# ---- as people read them


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"  # noqa: RUF001 (a dash that nobody takes for a minus)


def _size(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} TiB"


def _share(share: float | None) -> str:
    return "…" if share is None else f"{share:.0%}"


def _moment(value: datetime | int | None) -> str:
    if value is None:
        return "–"  # noqa: RUF001
    if isinstance(value, int):
        try:
            value = datetime.fromtimestamp(value / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return f"{value} ms"  # a writer's clock may have said anything
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"
