"""A private certificate authority for servers that demand TLS."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization as forms

from tests.support import leaks


@dataclass(frozen=True)
class Authority:
    """The authority, and what it has signed; all in files.

    Attributes:
        root: its certificate.
        stranger: the certificate of another one, which has signed nothing.
        server_cert, server_key: of the server, whose name is `localhost`.
        client_cert, client_key: of the role `certified`.
        locked_key: the same key behind the password `leaks.PASSWORD`.
    """

    root: Path
    stranger: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path
    locked_key: Path


def authority_in(folder: Path) -> Authority:
    """Makes an authority, and writes it to a folder."""
    authority = trustme.CA()
    of_server, of_client = authority.issue_cert("localhost"), authority.issue_cert(common_name="certified")
    names = ("root.pem", "stranger.pem", "server.pem", "server.key", "client.pem", "client.key", "locked.key")
    made = Authority(*(folder / name for name in names))
    authority.cert_pem.write_to_path(made.root)
    trustme.CA().cert_pem.write_to_path(made.stranger)
    of_server.cert_chain_pems[0].write_to_path(made.server_cert)
    of_client.cert_chain_pems[0].write_to_path(made.client_cert)
    key = of_client.private_key_pem.bytes()
    locked = forms.load_pem_private_key(key, None).private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(leaks.PASSWORD.encode())
    )
    for path, content in (
        (made.server_key, of_server.private_key_pem.bytes()),
        (made.client_key, key),
        (made.locked_key, locked),
    ):
        path.write_bytes(content)
        path.chmod(0o600)
    return made
