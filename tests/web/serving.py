"""The status page as it is served: over HTTP, from a thread of this process."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import uvicorn

from deltalakedb.catalog.database import Database
from deltalakedb.catalog.options import DatabaseOptions
from deltalakedb.web.app import Manner, make_app


@dataclass(frozen=True)
class Answer:
    """What came back: names of headers in small letters."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def document(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Server:
    """A server that runs: what it answers to GET requests."""

    port: int

    def get(self, path: str, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()


@contextmanager
def served(
    url: str, token: str | None = None, options: DatabaseOptions | None = None, **manner: Any
) -> Iterator[Server]:
    """Serves a catalog until the block ends; every answer is made anew unless `fresh` says otherwise."""
    database = Database(url, options)
    app = make_app(database, Manner(token=token, **{"fresh": 0.0, "log_patience": 5.0, **manner}))
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, ws="none")
    server = uvicorn.Server(config)
    with config.bind_socket() as listening:
        listening.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Server(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            database.close()
    assert not thread.is_alive()


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]
