"""Paths of a log that go on to mean the same files when the log is read elsewhere."""

from __future__ import annotations

from .locations import Root
from .mini_log import absolute_vector

_MISREAD = str.maketrans({letter: f"%{ord(letter):02X}" for letter in "#?\\\t\n\r"})
"""What a parser of URLs takes for something else than a part of a path. The rest stays as it is: `a b` and `a%20b` are
two files of a table, and stay two."""


class AbsolutePaths:
    """Makes the paths of the log at a location absolute.

    Args:
        location: the table's, as the catalog has it.
    """

    def __init__(self, location: str) -> None:
        self._root = Root.of(location)

    def path(self, path: str) -> str:
        """Returns the absolute URI of a file; an absolute one is returned as it is.

        Raises:
            FileOutsideTableError: a relative path that leads out of the table's folder.
        """
        self._root.file(path)
        if path.startswith("/") or self._root.is_absolute(path):
            return path
        return self._root.uri + path.translate(_MISREAD)

    def vector(self, text: str) -> str:
        """Returns the descriptor of a deletion vector, whose file can be found from anywhere."""
        return absolute_vector(self._root, text)
