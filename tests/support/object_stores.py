"""Object stores to test with, over HTTP.

    moto_server() ─▶ S3Server ─▶ server.bucket() ─▶ Bucket: its URI, storage options, and what is put into it
    proxy(server.url) ─▶ Proxy: the same server, with its requests counted, delayed, or refused

S3 is moto's server in a process of its own; for Azure and Google see other_clouds.py.
"""

import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import obstore
import obstore.store

from tests.support.leaks import STORE_KEY

SECRET = STORE_KEY

_MOTO = """
import logging, sys, threading
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("port", server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@dataclass(frozen=True)
class Bucket:
    """An empty bucket or container, the test's own.

    Attributes:
        uri: `s3://name`.
        options: what opens it, under the names of delta-rs.
        store: obstore's, for putting files into it.
        secret: what must not be shown of the options.
        endpoint: which of the options says where the server is.
    """

    uri: str
    options: dict[str, str]
    store: Any
    secret: str = SECRET
    endpoint: str = "aws_endpoint_url"

    def put(self, key: str, content: bytes) -> None:
        obstore.put(self.store, key, content)

    def upload(self, folder: Path, key: str) -> str:
        """Puts all files below a folder below a key, and returns the URI of that."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        self.put_all({f"{key}/{path.relative_to(folder)}": path.read_bytes() for path in files})
        return f"{self.uri}/{quote(key)}"

    def put_all(self, files: dict[str, bytes]) -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda file: self.put(*file), files.items()))

    def through(self, url: str) -> dict[str, str]:
        """Returns the options for the same bucket by way of a proxy."""
        return {**self.options, self.endpoint: url}


@dataclass(frozen=True)
class S3Server:
    """A running server of S3."""

    url: str

    def bucket(self, name: str | None = None) -> Bucket:
        """Makes a bucket, by default one with a name of its own."""
        name = name or f"lake-{uuid.uuid4().hex[:12]}"
        _request(self.url, "PUT", f"/{name}")
        options = {
            "aws_endpoint_url": self.url,
            "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "aws_secret_access_key": SECRET,
            "aws_region": "us-east-1",
            "allow_http": "true",
        }
        store = obstore.store.from_url(
            f"s3://{name}",
            config={key: value for key, value in options.items() if key != "allow_http"},
            client_options={"allow_http": True},
        )
        return Bucket(f"s3://{name}", options, store)


@contextmanager
def moto_server() -> Iterator[S3Server]:
    """Runs moto's server of S3 in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", _MOTO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        port = next((line.split()[1] for line in process.stdout if line.startswith("port ")), None)
        if port is None:
            raise RuntimeError("moto's server did not start")
        yield S3Server(f"http://127.0.0.1:{port}")
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def _request(url: str, method: str, path: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc)
    try:
        connection.request(method, path, headers={"Content-Length": "0"})
        response = connection.getresponse()
        response.read()
        assert response.status == 200, response.status
    finally:
        connection.close()


# ---- a proxy

Refusal = Callable[[str, str], tuple[int, str] | None]
"""Method and path → status and body of a refusal; None to let a request pass."""


def s3_error(status: int, code: str) -> tuple[int, str]:
    """How S3 refuses."""
    return status, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"


@dataclass
class Proxy:
    """A server in front of another.

    Attributes:
        url: where it is.
        latency: seconds that every request takes longer.
        refuse: which requests don't get through.
        tear: of which answers only the first half arrives.
        requests: those that came, as `GET /path?query`.
        at_once: how many there were at the same time, at most.
        authorizations: what they proved themselves with.
        bodies: what was answered, as far as it was text.
    """

    target: str
    url: str = ""
    latency: float = 0.0
    refuse: Refusal = lambda _method, _path: None
    tear: Callable[[str, str], bool] = lambda _method, _path: False
    requests: list[str] = field(default_factory=list)
    at_once: int = 0
    authorizations: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, line: str) -> None:
        with self._lock:
            self.requests.append(line)
            self._now += 1
            self.at_once = max(self.at_once, self._now)

    def end(self) -> None:
        with self._lock:
            self._now -= 1

    def listings(self) -> list[str]:
        """The requests that listed keys."""
        return [line for line in self.requests if re.search(r"[?&](list-type|comp=list)", line)]


@contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """Runs a proxy in front of a server."""
    made = Proxy(target)
    methods = {f"do_{method}": _Handler.answer for method in ("GET", "HEAD", "PUT", "POST", "DELETE")}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"made": made, **methods}))
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    made: Proxy
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def answer(self) -> None:
        self.made.begin(f"{self.command} {self.path}")
        self.made.authorizations.append(self.headers.get("Authorization", ""))
        try:
            time.sleep(self.made.latency)
            self._answer(*(self._refused() or self._forwarded()))
        finally:
            self.made.end()

    def _refused(self) -> tuple[int, dict[str, str], bytes] | None:
        refusal = self.made.refuse(self.command, self.path)
        return None if refusal is None else (refusal[0], {}, refusal[1].encode())

    def _forwarded(self) -> tuple[int, dict[str, str], bytes]:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = HTTPConnection(urlsplit(self.made.target).netloc)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        if headers.get("Content-Type", "").endswith("xml"):
            self.made.bodies.append(body.decode())
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.made.tear(self.command, self.path):
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
