"""What `deltalake.DeltaTable` has beyond reading: each is there, and says why it does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import command_line
from .exceptions import ReadOnlyError


class _Refused:
    """A method that refuses when it is called, or a property that refuses when it is asked for."""

    def __init__(self, message: str, hint: str, *, is_property: bool = False) -> None:
        self._message, self._hint, self._is_property = message, hint, is_property
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Callable[..., NoReturn] | _Refused:
        if instance is None and self._is_property:
            return self

        def refuse(*_: Any, **__: Any) -> NoReturn:
            location = "…" if instance is None else repr(instance.table_uri)
            after = "" if instance is None else f", then `{command_line('sync', instance.table_id)}`"
            hint = self._hint.format(name=self._name, location=location, after=after)
            raise ReadOnlyError(self._message.format(name=self._name), hint)

        refuse.__name__ = self._name
        refuse.__doc__ = f"Raises ReadOnlyError: {self._message.format(name=self._name)}."
        return refuse() if self._is_property else refuse


_READ_ONLY = "`{name}` writes, and a table that is read from SQL is read-only: its log stays the truth"
_WRITER = "Write with deltalake.DeltaTable({location}){after}."


def _writes(*, is_property: bool = False) -> Any:
    return _Refused(_READ_ONLY, _WRITER, is_property=is_property)


class ReadOnly:
    """The write side of `deltalake.DeltaTable`, refused by name. Nothing here touches a table."""

    alter: Any = _writes(is_property=True)
    cleanup_metadata: Any = _writes()
    compact_logs: Any = _writes()
    create: Any = _writes()
    create_checkpoint: Any = _writes()
    create_write_transaction: Any = _writes()
    delete: Any = _writes()
    generate: Any = _writes()
    merge: Any = _writes()
    optimize: Any = _writes(is_property=True)
    repair: Any = _writes()
    restore: Any = _writes()
    update: Any = _writes()
    vacuum: Any = _writes()
    load_cdf: Any = _Refused(
        "`{name}` is not answered from SQL", "deltalake.DeltaTable({location}).{name}(…) reads the change data feed."
    )
