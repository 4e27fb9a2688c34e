"""Parquet that lies: a checkpoint is actions, or our error, and never takes more memory than it is worth."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.errors import CorruptLogError
from deltalakedb.log.parquet_actions import decode_checkpoint_rows, decode_sidecar_rows
from tests.fuzz import hostile
from tests.support.logs import LogBuilder, add, dv, metadata, protocol, txn


@cache
def seeds() -> tuple[bytes, ...]:
    """Good checkpoints: a classic one, a manifest, and a sidecar."""
    with TemporaryDirectory() as folder:
        log = LogBuilder(Path(folder))
        files = [
            add(f"{n}.parquet", partitionValues={"p": "1"}, deletionVector=dv() if n % 3 else ...) for n in range(9)
        ]
        log.commit(protocol(), metadata(), txn("a", 1), *files)
        paths = [*log.checkpoint(), *log.checkpoint(v2="parquet", sidecars=1)]
        return tuple(path.read_bytes() for path in paths)


@hostile.IN_CI
@given(st.data())
def test_a_checkpoint_is_actions_or_our_error(data: st.DataObject):
    content = data.draw(st.sampled_from(seeds()).flatmap(parquet))
    for read in (decode_checkpoint_rows, decode_sidecar_rows):
        try:
            list(read(io.BytesIO(content), "5.checkpoint.parquet"))
        except CorruptLogError as error:
            assert error.message.startswith("5.checkpoint.parquet: ")
            assert "\n" not in error.message


def parquet(content: bytes) -> st.SearchStrategy[bytes]:
    """The file with edits, most of them in its footer: what that says is believed by a reader."""
    length = int.from_bytes(content[-8:-4], "little") + 8
    data, footer, end = content[:-length], content[-length:-8], content[-8:]
    return st.one_of(
        hostile.edited(footer).map(lambda spoiled: data + spoiled + len(spoiled).to_bytes(4, "little") + end[4:]),
        hostile.edited(data).map(lambda spoiled: spoiled + footer + end),
        hostile.edited(content),
    )
