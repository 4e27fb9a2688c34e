"""A folder in an object store."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from ...errors import LocationNotFoundError
from ..store import CHUNK_BYTES, Entry, Listing, Store
from . import loop
from .errors import our_errors
from .options import make_store, secret_values
from .read_ahead import ReadAhead
from .uri import Uri

if TYPE_CHECKING:
    from obstore import ListResult, ObjectMeta
    from obstore.store import ObjectStore as Obstore

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE = 1000


class ObjectStore(Store):
    """A folder in an object store.

    There are no folders in such a store, only keys: a folder is there when a key begins with its name.

    Args:
        uri: the folder.
        options: storage options, under the names that delta-rs has for them.
        store: obstore's store of the bucket, where one is open already.
    """

    def __init__(self, uri: Uri, options: Mapping[str, str], store: Obstore | None = None) -> None:
        self.location = uri.text
        self.storage_options = dict(options)
        self._uri = uri
        self._store = store or make_store(uri, options)
        self._ahead: ReadAhead | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return ObjectStore, (self._uri, self.storage_options)

    def scrub(self, text: str) -> str:
        for value in secret_values(self.storage_options):
            text = text.replace(value, "***")
        return text

    # ---- listing

    def list(self, folder: str = "", *, after: str | None = None, before: str | None = None) -> Listing:
        listing = self._list_all(folder) if after is None else self._list_after(folder, after, before)
        if not listing.files and not listing.folders and after is None:
            raise LocationNotFoundError(f"Not found: {self._at(folder)}", "Check the path.")
        if before is not None:
            listing.files[:] = [file for file in listing.files if file.name < before]
        listing.files.sort(key=lambda file: file.name)
        listing.folders.sort()
        return listing

    def check(self) -> None:
        import obstore

        async def any_key() -> bool:
            async for _ in obstore.list(self._store, self._uri.key or None, chunk_size=1):
                return True
            return False

        # One page of keys: a listing by folders would name all data files that lie in the table's own folder.
        if not self._run(any_key, ""):
            raise LocationNotFoundError(f"Not found: {self.location}", "Check the path.")

    def _list_all(self, folder: str) -> Listing:
        import obstore

        key = self._key(folder)

        async def request() -> ListResult[Sequence[ObjectMeta]]:
            return await obstore.list_with_delimiter_async(self._store, key or None)

        found = self._run(request, folder)
        start = len(key) + 1 if key else 0
        listing = Listing(folders=[prefix[start:].strip("/") for prefix in found["common_prefixes"]])
        for meta in found["objects"]:
            _append(listing, meta, start)
        return listing

    def _list_after(self, folder: str, after: str, before: str | None) -> Listing:
        """Lists from a name on; ends early where names come in order and have passed `before`."""
        import obstore

        key = self._key(folder)
        start = len(key) + 1 if key else 0
        offset = f"{key}/{after}" if key else after

        async def pages() -> AsyncIterator[list[ObjectMeta]]:
            async for page in obstore.list(self._store, key or None, offset=offset, chunk_size=_PAGE):
                # Some servers pass over the offset, and name everything.
                yield [meta for meta in page if meta["path"] > offset]

        async def listed() -> Listing:
            listing, last = Listing(), ""
            async for page in pages():
                paths = [meta["path"] for meta in page]
                for meta in page:
                    _append(listing, meta, start)
                if not paths:
                    continue
                ordered = all(one <= two for one, two in zip([last, *paths], paths, strict=False))
                last = paths[-1] if ordered else "\U0010ffff"  # never in order again
                if before is not None and ordered and paths[-1][start:] >= before:
                    break
            return listing

        listing = self._run(listed, folder)
        listing.folders[:] = dict.fromkeys(listing.folders)
        return listing

    # ---- reading

    def expect(self, files: Iterable[tuple[str, int]]) -> None:
        if self._ahead is not None:
            self._ahead.stop()
        small = [(path, size) for path, size in files if size <= CHUNK_BYTES]
        self._ahead = ReadAhead(small, lambda path: loop.start(lambda: self._whole(path)))

    def get(self, path: str) -> bytes:
        ahead = self._ahead.take(path) if self._ahead is not None else None
        with self._errors(path):
            return self._wait(ahead) if ahead is not None else loop.run(lambda: self._whole(path))

    def chunks(self, path: str) -> Iterator[bytes]:
        ahead = self._ahead.take(path) if self._ahead is not None else None
        if ahead is not None:
            with self._errors(path):
                whole = self._wait(ahead)
            if whole:
                yield whole
            return
        yield from self._streamed(path)

    def open(self, path: str) -> BinaryIO:
        import obstore

        ahead = self._ahead.take(path) if self._ahead is not None else None
        if ahead is not None:
            with self._errors(path):
                return io.BytesIO(self._wait(ahead))

        async def small_or_size() -> bytes | int:
            result = await obstore.get_async(self._store, self._key(path))
            size: int = result.meta["size"]
            return bytes(await result.bytes_async()) if size <= CHUNK_BYTES else size

        found = self._run(small_or_size, path)
        if isinstance(found, bytes):
            return io.BytesIO(found)
        return io.BufferedReader(_Ranges(lambda start, end: self._range(path, start, end), found), CHUNK_BYTES // 8)

    def child(self, path: str) -> ObjectStore:
        return ObjectStore(self._uri.child(path), self.storage_options, self._store)

    async def _whole(self, path: str) -> bytes:
        import obstore

        result = await obstore.get_async(self._store, self._key(path))
        return bytes(await result.bytes_async())

    def _streamed(self, path: str) -> Iterator[bytes]:
        import obstore

        async def begin() -> AsyncIterator[Any]:
            result = await obstore.get_async(self._store, self._key(path))
            return aiter(result.stream(min_chunk_size=CHUNK_BYTES))

        async def following() -> bytes | None:
            piece = await anext(stream, None)
            return None if piece is None else bytes(piece)

        stream = self._run(begin, path)
        while (chunk := self._run(following, path)) is not None:
            if chunk:
                yield chunk

    def _range(self, path: str, start: int, end: int) -> bytes:
        import obstore

        async def request() -> bytes:
            return bytes(await obstore.get_range_async(self._store, self._key(path), start=start, end=end))

        return self._run(request, path)

    # ---- helpers

    def _run(self, request: Callable[[], Coroutine[Any, Any, T]], path: str) -> T:
        with self._errors(path):
            return loop.run(request)

    @staticmethod
    def _wait(future: Future[bytes]) -> bytes:
        return future.result()

    def _errors(self, path: str) -> Any:
        return our_errors(self._uri.cloud, self._uri.bucket, self._at(path), self.scrub)

    def _key(self, path: str) -> str:
        return self._uri.child(path).key if path else self._uri.key

    def _at(self, path: str) -> str:
        return self._uri.child(path).text if path else self.location

    def __repr__(self) -> str:
        return f"ObjectStore({self.location!r})"


def _append(listing: Listing, meta: ObjectMeta, start: int) -> None:
    name, below, _ = meta["path"][start:].partition("/")
    if below:
        listing.folders.append(name)
    elif name:  # else a marker that some tools write for a folder itself
        modified = (meta["last_modified"] - _EPOCH) // timedelta(milliseconds=1)
        listing.files.append(Entry(name, meta["size"], modified))


class _Ranges(io.RawIOBase):
    """A large file, read in ranges: readers of Parquet want its end and some columns."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        content = self._fetch(self._position, end)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
