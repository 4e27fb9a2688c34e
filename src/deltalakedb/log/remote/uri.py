"""Locations in object stores: what their URIs mean. Pure.

A URI is percent-encoded, a key in a store is not: `s3://lake/my%20table` is the key `my table`, and so is, for those
who type it as it is, `s3://lake/my table`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from ...errors import ArgumentError

_SCHEMES = {
    "s3": ("s3", "s3"),
    "s3a": ("s3", "s3"),
    "gs": ("gs", "gs"),
    "az": ("azure", "az"),
    "azure": ("azure", "az"),
    "adl": ("azure", "az"),
    "abfs": ("azure", "abfss"),
    "abfss": ("azure", "abfss"),
}
"""Scheme → its cloud, and the one of its spellings that the catalog records: those that delta-rs knows."""

SCHEMES = tuple(_SCHEMES)

_UNRESERVED = "/-_.~!$&'()*+,;=:@"


@dataclass(frozen=True, slots=True)
class Uri:
    """A folder in an object store.

    Attributes:
        cloud: `s3`, `gs` or `azure`.
        bucket: the URI of the bucket or container: `s3://lake`, `abfss://container@account.dfs.core.windows.net`.
        key: the folder's key, not encoded, without slashes at its ends; empty for the bucket itself.
    """

    cloud: str
    bucket: str
    key: str

    @property
    def text(self) -> str:
        """The URI, in the one spelling that the catalog records."""
        return f"{self.bucket}/{quote(self.key, safe=_UNRESERVED)}" if self.key else self.bucket

    def child(self, path: str) -> Uri:
        """Returns a folder below this one; `path` is not encoded."""
        return Uri(self.cloud, self.bucket, f"{self.key}/{path}" if self.key else path)


def parse(text: str) -> Uri:
    """Returns what a URI of one of SCHEMES means.

    Raises:
        ArgumentError: no bucket, a path with empty parts, `.` or `..`, or what is not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"Not UTF-8: {text!a}", "Names in object stores are; write them percent-encoded."
        ) from error
    scheme, _, rest = text.partition("://")
    cloud, spelling = _SCHEMES[scheme.lower()]
    authority, _, path = rest.partition("/")
    if not authority or "?" in authority or "#" in authority:
        raise ArgumentError(f"Not a location: {text}", f"It has the form {spelling}://{_example(spelling)}/path.")
    if spelling == "az" and "@" in authority:  # delta-rs takes `az://container@account…` for a name of a container
        raise ArgumentError(f"Not a location: {text}", f"With an account it begins with abfss://{authority}.")
    key = unquote(path).strip("/")
    if key and not all(part and part not in (".", "..") for part in key.split("/")):
        raise ArgumentError(f"Not a location: {text}", "Its path has an empty part, `.` or `..`.")
    return Uri(cloud, f"{spelling}://{authority}", key)


def _example(spelling: str) -> str:
    return {"abfss": "container@account.dfs.core.windows.net", "az": "container"}.get(spelling, "bucket")
