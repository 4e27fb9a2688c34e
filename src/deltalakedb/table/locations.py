"""A path in the log → where the file is (PROTOCOL.md, "Add File and Remove File": a URI, relative or absolute).

A path in the log is percent-encoded. It is decoded once, here, and nowhere else.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from .exceptions import FileOutsideTableError

_SCHEME = re.compile(r"file:/|[A-Za-z][A-Za-z0-9+.-]*://")
"""How an absolute URI begins. A name like `a:b.parquet` is a relative path."""

_NOT_PLAIN = r"^$|%|\x00|//|/$|^/|^file:/|^[A-Za-z][A-Za-z0-9+.-]*:/|(^|/)\.{1,2}(/|$)"
"""Paths that are more than a prefix away from their file; the others, which are most, are done in one go."""

_UNRESERVED = "/-_.~!$&'()*+,;=:@"
"""Besides letters and digits, what stays as it is in the path of a URL."""

_AS_RUST = "/-_.~!$&'()*+,;=:@[]|^"
"""The same, as delta-rs spells a table's URI."""


@dataclass(frozen=True, slots=True)
class Root:
    """The table's folder.

    Attributes:
        plain: without a slash at its end: a local path, or a URI that is not encoded.
        is_local: whether it is a folder of this machine.
    """

    plain: str
    is_local: bool

    @classmethod
    def of(cls, location: str) -> Root:
        """Returns the folder that a catalog's location means; links are followed, as delta-rs does."""
        return _root(location)

    @property
    def uri(self) -> str:
        """The folder as a URI with a slash at its end, as delta-rs gives it."""
        scheme, _, rest = self.plain.partition("://") if not self.is_local else ("file", "", self.plain)
        return f"{scheme}://{quote(rest, safe=_AS_RUST)}/"

    @staticmethod
    def is_absolute(path: str) -> bool:
        """Tells whether a path in the log is a URI of its own."""
        return _SCHEME.match(path) is not None

    def file(self, path: str) -> str:
        """Returns where the file of a path in the log is: a local path, or a URI that is not encoded.

        Raises:
            FileOutsideTableError: a relative path that leads out of the folder, or a NUL in it.
        """
        decoded = unquote(path)
        if "\0" in decoded:
            raise FileOutsideTableError(f"A path in the log is none that a file can have: {path!r}")
        if self.is_absolute(path):
            return _of_uri(path)
        if path.startswith("/"):
            return decoded if self.is_local else self._bucket + decoded
        return self._inside(decoded, path)

    def _inside(self, decoded: str, path: str) -> str:
        inside = posixpath.normpath(decoded)
        # After decoding, so that %2e%2e is found as well; a decoded `/` at the beginning leads out, too.
        if inside in ("", ".", "..") or inside.startswith(("../", "/")):
            raise FileOutsideTableError(f"A path in the log leads out of the table's folder: {path!r}")
        return f"{self.plain}/{inside}"

    def vector(self, prefix: str, uuid: object) -> str:
        """Returns where the file of a deletion vector is that lies below the folder, `prefix` being a folder there.

        Raises:
            FileOutsideTableError: the prefix leads out of the folder.
        """
        name = f"{prefix}/deletion_vector_{uuid}.bin" if prefix else f"deletion_vector_{uuid}.bin"
        return self._inside(name, name)

    def listed(self, path: str) -> str:
        """Returns the same as delta-rs lists it for a table in an object store: a key's own % is not encoded again."""
        file = self.file(path)
        if _SCHEME.match(path):
            return url_of(file)
        root = f"{self.plain}/"
        scheme, _, rest = file.partition("://")
        listed = quote(file.removeprefix(root) if file.startswith(root) else rest, safe=f"{_AS_RUST}%")
        return f"{self.uri}{listed}" if file.startswith(root) else f"{scheme}://{listed}"

    def url(self, path: str) -> str:
        """Returns the same as an absolute, encoded URL: what an engine can be given whatever its table's folder is."""
        return url_of(self.file(path))

    def files(self, paths: Any) -> Any:
        """Returns `file` of a whole `pyarrow.Array` of paths."""
        import pyarrow as pa
        import pyarrow.compute as pc

        odd = pc.match_substring_regex(paths, _NOT_PLAIN)
        plain = pc.binary_join_element_wise(pa.scalar(self.plain), paths, "/")
        if not pc.any(odd).as_py():
            return plain
        others = pa.array([self.file(path) for path in paths.filter(odd).to_pylist()], pa.string())
        return pc.replace_with_mask(plain, odd, others)

    @property
    def _bucket(self) -> str:
        scheme, _, rest = self.plain.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"


@lru_cache(maxsize=256)
def _root(location: str) -> Root:
    if "://" in location:
        scheme, _, rest = location.partition("://")
        return Root(f"{scheme}://{unquote(rest).rstrip('/')}", is_local=False)
    return Root(os.path.realpath(location).rstrip("/"), is_local=True)


def _of_uri(uri: str) -> str:
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "file":
        return f"{scheme}:{unquote(rest)}"
    path = unquote(rest)
    if path.startswith("//"):  # an authority comes first: `file://localhost/path`, or none: `file:///path`
        path = "/" + path[2:].partition("/")[2]
    return path


def url_of(file: str) -> str:
    """Returns the encoded URL of a file, which is a local path or a URI that is not encoded."""
    scheme, separator, rest = file.partition("://")
    if separator and not file.startswith("/"):
        return f"{scheme}://{quote(rest, safe=_UNRESERVED)}"
    return f"file://{quote(posixpath.normpath(file), safe=_UNRESERVED)}"
