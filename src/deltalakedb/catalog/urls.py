"""How a database's URL is taken apart, before anything of databases is loaded.

    scheme://user:password@host:port,host:port/database?option=value&…

The user and the password end where SQLAlchemy ends them: an `@` or a `/` in a user's name needs no encoding before a
colon, a `/` in a password none either. What could be meant otherwise is no URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, unquote_plus

MASK = "***"

SECRET_OPTIONS = ("password", "passwd", "sslpassword", "ssl_key_password")
"""The options of URLs, and of libpq's connection strings, that are passwords."""

_URL = re.compile(
    r"(?P<scheme>[\w+]+)://(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?(?P<hosts>[^/?]*)"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_HOST = r"(?:\[[^\[\]@,]*\]|[^\[\]@,:&=]*)(?::\d*)?"
_HOSTS = re.compile(rf"{_HOST}(?:,{_HOST})*")
_DATABASE_AND_OPTION = re.compile(r"/[^?]*\?.*=", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A URL that has been taken apart.

    Attributes:
        scheme: what stands before `://`.
        user: None where there is none.
        password: as it is written; None where there is none before the hosts.
        hosts: one, several with commas between, or none; with their ports.
        database: None where there is none.
        options: by name, in their order; a name may come twice.
        masked: the URL with its passwords masked.
    """

    scheme: str
    user: str | None
    password: str | None = field(repr=False)
    hosts: str
    database: str | None
    options: tuple[tuple[str, str], ...] = field(repr=False)
    masked: str

    @property
    def passwords(self) -> list[str]:
        """The passwords, as they are written and as they are meant."""
        found = [] if self.password is None else [self.password, unquote(self.password)]
        return found + [value for name, value in self.options if name.lower() in SECRET_OPTIONS]


def taken_apart(url: str) -> DatabaseUrl | None:
    """Returns the parts of a URL, or None where it is none, or leaves open where its password ends."""
    match = _URL.fullmatch(url)
    if match is None or not _HOSTS.fullmatch(match["hosts"]):
        return None
    query = match["query"] or ""
    if match["scheme"].partition("+")[0].lower() != "sqlite" and _is_open(match):
        return None
    return DatabaseUrl(
        match["scheme"],
        None if match["user"] is None else unquote(match["user"]),
        match["password"],
        match["hosts"],
        None if match["database"] is None else unquote(match["database"]),
        tuple(parse_qsl(query)),
        _masked(match),
    )


def _is_open(match: re.Match[str]) -> bool:
    """Tells whether an @ that is not encoded may well mean something else than SQLAlchemy makes of it."""
    names = (part.partition("=")[0] for part in (match["query"] or "").split("&"))
    # A password with an @ and a / or ? in it ends before them; one in an option is taken for the end of a password.
    rest_of_password = "@" in (match["database"] or "") or any("@" in name for name in names)
    user, password = match["user"] or "", match["password"] or ""
    after_host = _DATABASE_AND_OPTION.search(password) and ("@" in user or password.partition("/")[0].isdigit())
    return rest_of_password or bool(after_host)


def masked(url: str) -> str:
    """Returns a URL as it may be shown: without its passwords, and not at all where it leaves open what they are."""
    parts = taken_apart(url)
    if parts is not None:
        return parts.masked
    if not re.search(r"[:@]", url.partition("://")[2] or url):
        return url
    scheme = re.match(r"[\w+]+://", url)
    return f"{scheme[0] if scheme else ''}{MASK}"


def _masked(match: re.Match[str]) -> str:
    url = match.string
    shown = url
    if match["query"] is not None:
        shown = url[: match.start("query")] + _masked_query(match["query"])
    if match["password"]:
        shown = shown[: match.start("password")] + MASK + shown[match.end("password") :]
    return shown


def _masked_query(query: str) -> str:
    shown: list[str] = []
    is_secret = False
    for part in query.split("&"):
        name, equals, _ = part.partition("=")
        if equals:
            is_secret = unquote_plus(name).lower() in SECRET_OPTIONS
            shown.append(f"{name}={MASK}" if is_secret else part)
        elif not is_secret:  # else it is the rest of a password with an &
            shown.append(part)
    return "&".join(shown)
