"""SQLite's files with a witness: what is written, in which order, and what was made sure of; and disks that fill up.

    with recorded() as journal:
        …                                   # whatever this process does with SQLite
    journal.after_a_power_cut(folder, chance)   # the files as a cut at a random moment may leave them

The witness is a VFS of SQLite's own (https://www.sqlite.org/vfs.html), laid over the default one by ctypes: of each
file that is opened, the methods that write are replaced. It sees what Python's `sqlite3` does, in all threads.
"""

import _sqlite3
import ctypes
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

SECTOR_BYTES = 512
"""What a disk writes wholly or not at all."""

SQLITE_OK, SQLITE_FULL = 0, 13
_OPEN_KEPT = 0x100 | 0x800 | 0x80000  # main database, its journal, its write-ahead log


class UnavailableError(Exception):
    """Python's SQLite is built in, so that nothing can be laid over its files."""


# ---- what was done


@dataclass(frozen=True)
class Event:
    """Something that was done to a file: `write`, `truncate`, `sync`, `delete`, or a `mark` of the test's."""

    kind: str
    name: str
    offset: int = 0
    data: bytes = b""


@dataclass
class Journal:
    """What was done to SQLite's files, in order.

    Attributes:
        events: all of it.
        full_after: bytes that may be written before the disk is full; None for a disk without bounds.
        stopped: whether nothing is noted any more.
    """

    events: list[Event] = field(default_factory=list)
    full_after: int | None = None
    stopped: bool = False

    def note(self, event: Event) -> None:
        """Notes what was done, unless nobody wants to know any more."""
        if not self.stopped:
            self.events.append(event)

    def stop(self) -> None:
        """Notes nothing from now on."""
        self.stopped = True

    def mark(self, name: str) -> None:
        """Notes that the program has come so far, as far as its user can tell."""
        self.note(Event("mark", name))

    def allows(self, count: int) -> bool:
        """Tells whether the disk has room for so many bytes, and takes it."""
        if self.full_after is None:
            return True
        self.full_after -= count
        return self.full_after >= 0

    def after_a_power_cut(self, folder: Path, at: int, chance: random.Random) -> list[str]:
        """Writes the files as a power cut behind the first `at` events may leave them; returns the marks before it.

        What a file held when it was last synced is there. Of what was done to it since, anything may be there or not,
        in whatever order: each sector by itself, and with all of it, nothing, or some.
        """
        share = chance.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        disk, waiting = self._at(at)
        for part in chain.from_iterable(map(_sectors, chain.from_iterable(waiting.values()))):
            if chance.random() < share:
                _apply(disk, part)
        for name, content in disk.items():
            (folder / name).write_bytes(content)
        return [event.name for event in self.events[:at] if event.kind == "mark"]

    def _at(self, at: int) -> tuple[dict[str, bytearray], dict[str, list[Event]]]:
        """What is surely on disk behind the first `at` events, and what has been done to each file since."""
        disk, waiting = dict[str, bytearray](), dict[str, list[Event]]()
        for event in self.events[:at]:
            if event.kind == "sync":
                disk.setdefault(event.name, bytearray())
                for each in waiting.pop(event.name, []):
                    _apply(disk, each)
            elif event.kind == "delete":
                disk.pop(event.name, None)
                waiting.pop(event.name, None)
            elif event.kind != "mark":
                waiting.setdefault(event.name, []).append(event)
        return disk, waiting


def _apply(disk: dict[str, bytearray], event: Event) -> None:
    content = disk.setdefault(event.name, bytearray())
    if event.kind == "truncate":
        del content[event.offset :]
        content.extend(bytes(event.offset - len(content)))
        return
    end = event.offset + len(event.data)
    content.extend(bytes(max(0, end - len(content))))
    content[event.offset : end] = event.data


def _sectors(event: Event) -> Iterator[Event]:
    if event.kind == "truncate":
        yield event
        return
    start, end = event.offset, event.offset + len(event.data)
    while start < end:
        stop = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Event("write", event.name, start, event.data[start - event.offset : stop - event.offset])
        start = stop


# ---- SQLite's structures: sqlite3.h

_Pointer, _Int, _Long, _Text = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_char_p


class _File(ctypes.Structure):
    _fields_ = (("methods", _Pointer),)


_FileP = ctypes.POINTER(_File)
_WRITE = ctypes.CFUNCTYPE(_Int, _FileP, _Pointer, _Int, _Long)
_TRUNCATE = ctypes.CFUNCTYPE(_Int, _FileP, _Long)
_SYNC = ctypes.CFUNCTYPE(_Int, _FileP, _Int)


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", _Int),
        ("close", _Pointer),
        ("read", _Pointer),
        ("write", _WRITE),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        ("others", _Pointer * 13),
    )


class _Vfs(ctypes.Structure):
    pass


_VfsP = ctypes.POINTER(_Vfs)
_OPEN = ctypes.CFUNCTYPE(_Int, _VfsP, _Pointer, _FileP, _Int, ctypes.POINTER(_Int))
_DELETE = ctypes.CFUNCTYPE(_Int, _VfsP, _Text, _Int)
_Vfs._fields_ = (
    ("version", _Int),
    ("file_bytes", _Int),
    ("longest_path", _Int),
    ("next", _Pointer),
    ("name", _Text),
    ("own", _Pointer),
    ("open", _OPEN),
    ("delete", _DELETE),
    ("others", _Pointer * 14),
)


class _Witness:
    """A VFS that does what the default one does, and notes it."""

    def __init__(self, journal: Journal) -> None:
        self._library = _library()
        self._real = self._library.sqlite3_vfs_find(None).contents
        self._journal = journal
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []  # what C holds pointers to
        self._methods: dict[int, _Methods] = {}
        self.vfs = _Vfs.from_buffer_copy(self._real)
        self.vfs.name = b"witness"
        self.vfs.open, self.vfs.delete = _OPEN(self._open), _DELETE(self._delete)

    def register(self) -> None:
        self._library.sqlite3_vfs_register(ctypes.byref(self.vfs), 1)

    def unregister(self) -> None:
        self._library.sqlite3_vfs_unregister(ctypes.byref(self.vfs))
        self._library.sqlite3_vfs_register(ctypes.byref(self._real), 1)

    def _open(self, _vfs: Any, path: int | None, file: Any, flags: int, out_flags: Any) -> int:
        # The pointer is passed on as it came: the file keeps it.
        code = self._real.open(ctypes.byref(self._real), path, file, flags, out_flags)
        if code == SQLITE_OK and path is not None and flags & _OPEN_KEPT:
            address = ctypes.addressof(file.contents)
            self._names[address] = Path(ctypes.string_at(path).decode()).name
            file.contents.methods = ctypes.addressof(self._witnessed(file.contents.methods))
        return code

    def _delete(self, _vfs: Any, path: bytes, and_folder: int) -> int:
        code = self._real.delete(ctypes.byref(self._real), path, and_folder)
        self._journal.note(Event("delete", Path(path.decode()).name))
        return code

    def _witnessed(self, methods: int) -> _Methods:
        """The methods of a file, with those that write replaced; the same for all files of one kind."""
        if methods not in self._methods:
            real = _Methods.from_address(methods)
            ours = _Methods.from_buffer_copy(real)
            ours.write = _WRITE(self._noting(real.write, self._note_write))
            ours.truncate = _TRUNCATE(self._noting(real.truncate, self._note_truncate))
            ours.sync = _SYNC(self._noting(real.sync, self._note_sync))
            self._methods[methods] = ours
            self._kept.append(ours)
        return self._methods[methods]

    def _noting(self, real: Callable[..., int], note: Callable[..., Event | None]) -> Callable[..., int]:
        def method(file: Any, *arguments: Any) -> int:
            event = note(self._names[ctypes.addressof(file.contents)], *arguments)
            if event is None:
                return SQLITE_FULL
            code = real(file, *arguments)
            self._journal.note(event)
            return code

        return method

    def _note_write(self, name: str, data: int, count: int, offset: int) -> Event | None:
        return Event("write", name, offset, ctypes.string_at(data, count)) if self._journal.allows(count) else None

    def _note_truncate(self, name: str, size: int) -> Event:
        return Event("truncate", name, size)

    def _note_sync(self, name: str, _flags: int) -> Event:
        return Event("sync", name)


def _library() -> Any:
    library = ctypes.CDLL(_sqlite3.__file__)  # and with it the library that it is linked with
    try:
        library.sqlite3_vfs_find.restype = _VfsP
    except AttributeError as error:
        raise UnavailableError("Python's sqlite3 is linked statically") from error
    library.sqlite3_vfs_find.argtypes = [_Text]
    return library


@contextmanager
def recorded() -> Iterator[Journal]:
    """Notes all that is done to SQLite's files whose connections begin and end within.

    Raises:
        UnavailableError: this Python does not let us.
    """
    journal = Journal()
    witness = _Witness(journal)
    witness.register()
    try:
        yield journal
    finally:
        witness.unregister()
