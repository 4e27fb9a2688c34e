"""Credentials that a machine has by its role: asked for where each cloud's tools ask, over HTTP."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deltalakedb.errors import PermissionDeniedError
from deltalakedb.log.store import open_store
from tests.support.object_stores import Bucket, Proxy

LATER = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
ROLE = {
    "Code": "Success",
    "AccessKeyId": "AKIDROLE",
    "SecretAccessKey": "rolesecret",
    "Token": "t",
    "Expiration": LATER,
}
ANSWERS = {
    "/latest/api/token": "metadata-token",
    "/latest/meta-data/iam/security-credentials/": "lake-role",
    "/latest/meta-data/iam/security-credentials/lake-role": json.dumps(ROLE),
    "/container": json.dumps(ROLE | {"AccessKeyId": "AKIDTASK"}),
    "/msi": json.dumps({"access_token": "azuretoken", "expires_on": "4102444800", "token_type": "Bearer"}),
}


class _Metadata(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer = ANSWERS.get(self.path.partition("?")[0])
        self.send_response(404 if answer is None else 200)
        body = (answer or "").encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET  # noqa: N815 (its interface)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def metadata_service() -> Iterator[str]:
    """What a cloud has at 169.254.169.254."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Metadata)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def without_credentials(bucket: Bucket, s3_proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path) -> dict[str, str]:
    """Options that say where the bucket is, but not who asks."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    bucket.put("t/a", b"a")
    return {"aws_endpoint_url": s3_proxy.url, "aws_region": "us-east-1", "allow_http": "true"}


def test_an_instance_has_its_role(
    bucket: Bucket, s3_proxy: Proxy, without_credentials: dict[str, str], metadata_service: str
):
    seen: list[str] = []
    s3_proxy.authorizations = seen
    store = open_store(f"{bucket.uri}/t", without_credentials | {"aws_metadata_endpoint": metadata_service})
    assert store.get("a") == b"a"
    assert "Credential=AKIDROLE/" in seen[0]


def test_a_container_has_its_task_s_role(
    bucket: Bucket,
    s3_proxy: Proxy,
    without_credentials: dict[str, str],
    metadata_service: str,
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,
):
    (tmp_path / "token").write_text("x")
    seen: list[str] = []
    s3_proxy.authorizations = seen
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{metadata_service}/container")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    assert open_store(f"{bucket.uri}/t", without_credentials).get("a") == b"a"
    assert "Credential=AKIDTASK/" in seen[0]


def test_a_virtual_machine_of_azure_has_its_identity(s3_proxy: Proxy, metadata_service: str):
    """Azurite takes no tokens without TLS, so a proxy looks at what is asked with."""
    seen: list[str] = []
    s3_proxy.authorizations = seen
    s3_proxy.refuse = lambda _method, _path: (403, "")
    options = {"azure_storage_account_name": "lake", "azure_storage_endpoint": s3_proxy.url, "allow_http": "true"}
    with pytest.raises(PermissionDeniedError):
        open_store("az://c/t", options | {"azure_msi_endpoint": f"{metadata_service}/msi"}).list()
    assert seen[0] == "Bearer azuretoken"
