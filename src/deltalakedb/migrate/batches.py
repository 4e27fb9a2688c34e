"""Rows in the order of a replay, cut into batches. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..rows import Rows


def batches(pieces: Iterable[Rows], size: int, skip: int = 0) -> Iterator[tuple[Rows, bool]]:
    """Yields the rows in batches of at most `size` files (and about as many commits), and whether each is the last.

    There is always a last one, if only an empty one. The first `skip` rows are left out: a replay gives the same rows
    in the same order every time, so that many rows are a place in the log.
    """
    batch = Rows()
    for rows in _skipped(pieces, skip):
        for part in _cut(rows, size - len(batch.files), size):
            if len(batch.files) + len(part.files) > size or len(batch.commits) + len(batch.cdc_files) >= size:
                yield batch, False
                batch = Rows()
            batch.extend(part)
    yield batch, True


def _cut(rows: Rows, first: int, size: int) -> Iterator[Rows]:
    """Cuts the files of a piece: `first` of them, then `size` at a time. What isn't files comes after all of them."""
    end = min(first, len(rows.files)) if first > 0 else min(size, len(rows.files))
    if end == len(rows.files):
        yield rows
        return
    yield Rows(files=rows.files[:end])
    while len(rows.files) - end > size:
        yield Rows(files=rows.files[end : end + size])
        end += size
    yield rows.after_files(end)


def _skipped(pieces: Iterable[Rows], skip: int) -> Iterator[Rows]:
    for rows in pieces:
        count = len(rows)
        if skip >= count:
            skip -= count
        elif skip:
            # A batch ends within the files of a piece or behind the piece, so what is left begins within its files.
            yield rows.after_files(skip)
            skip = 0
        else:
            yield rows
