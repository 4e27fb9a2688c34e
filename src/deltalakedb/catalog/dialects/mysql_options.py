"""The options of a MySQL URL → the arguments of PyMySQL.

Options have the names that they have in PyMySQL, SQLAlchemy's URLs and MySQL's own tools: `ssl_ca`, `ssl_verify_cert`,
`ssl_check_hostname`, `ssl_mode=VERIFY_IDENTITY`, …
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

_NUMBERS = ("connect_timeout", "read_timeout", "write_timeout")
MOST_SECONDS = 31_536_000
"""PyMySQL's longest timeout, a year."""

_TEXTS = (
    "user",
    "password",
    "unix_socket",
    "bind_address",
    "program_name",
    "read_default_file",
    "read_default_group",
    "init_command",
)
_IGNORED = ("charset", "use_unicode", "local_infile")
"""Often given, and here always the same."""

_TLS = frozenset(
    {
        *("ssl_ca", "ssl_capath", "ssl_cert", "ssl_key", "ssl_key_password", "ssl_cipher"),
        *("ssl_mode", "ssl_disabled", "ssl_verify_cert", "ssl_verify_identity", "ssl_check_hostname"),
    }
)
_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def arguments(query: Mapping[str, Any]) -> dict[str, Any]:
    """Returns PyMySQL's arguments for a URL's options.

    Raises:
        ValueError: an option that there is not, or a value that it can't have; its value is not said.
        OSError: a file with a certificate can't be read.
    """
    found: dict[str, Any] = {}
    for name, value in query.items():
        if name in _TLS or name in _IGNORED:
            continue
        if name in _NUMBERS:
            found[name] = _number(name, value)
        elif name in _TEXTS:
            found[name] = value
        else:
            raise ValueError(f"unknown option {name}")
    return found | _tls({name: value for name, value in query.items() if name in _TLS})


def _tls(options: Mapping[str, str]) -> dict[str, Any]:
    """A context of our own: PyMySQL checks no host's name without a CA file, and no certificate with `ssl_ca` alone."""
    mode = options.get("ssl_mode", "").upper().replace("-", "_")
    if mode and mode not in _MODES:
        raise ValueError(f"ssl_mode is one of {', '.join(_MODES)}")
    if mode == "DISABLED" or _flag(options, "ssl_disabled"):
        return {"ssl_disabled": True}
    if mode == "PREFERRED" or not options:
        return {}
    trusted = "ssl_ca" in options or "ssl_capath" in options
    # Who names a CA wants it asked; less than that has to be said.
    by_mode = {"REQUIRED": (trusted, False), "VERIFY_CA": (True, False), "VERIFY_IDENTITY": (True, True)}
    certificate, host = by_mode.get(mode, (trusted, trusted))
    host = _flag(options, "ssl_check_hostname", _flag(options, "ssl_verify_identity", host))
    certificate = _flag(options, "ssl_verify_cert", certificate or host)
    context = ssl.create_default_context(cafile=options.get("ssl_ca"), capath=options.get("ssl_capath"))
    context.check_hostname = certificate and host
    context.verify_mode = ssl.CERT_REQUIRED if certificate else ssl.CERT_NONE
    if "ssl_cert" in options:
        context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"), options.get("ssl_key_password"))
    if "ssl_cipher" in options:
        context.set_ciphers(options["ssl_cipher"])
    return {"ssl": context}


def _flag(options: Mapping[str, str], name: str, default: bool = False) -> bool:
    value = options.get(name)
    if value is None:
        return default
    if value.lower() in _TRUE or value.lower() in _FALSE:
        return value.lower() in _TRUE
    raise ValueError(f"{name} is true or false")


def _number(name: str, value: str) -> int:
    try:
        seconds = int(value)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= MOST_SECONDS:
        raise ValueError(f"{name} is a whole number of seconds from 1 to {MOST_SECONDS}")
    return seconds
