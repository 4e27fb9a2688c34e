"""Deletion vectors as they are stored: within the log, or in files (PROTOCOL.md, "Deletion Vector Format")."""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from tests.comparison.kinds import Dice

Storage = Literal["i", "u", "p"]

_MAGIC = 1681511377
_NO_RUNS = 12346
_MOST_IN_AN_ARRAY = 4096
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def bitmap(rows: Iterable[int]) -> bytes:
    """Returns the numbers of rows, below 65,536 and not more than 4,096, as a 64-bit roaring bitmap.

    One bucket with one container, which is an array. Source: the RoaringBitmap format specification.
    """
    ordered = sorted(rows)
    assert 0 < len(ordered) <= _MOST_IN_AN_ARRAY
    header = struct.pack("<iqi", _MAGIC, 1, 0) + struct.pack("<iiHHi", _NO_RUNS, 1, 0, len(ordered) - 1, 16)
    return header + struct.pack(f"<{len(ordered)}H", *ordered)


def z85(content: bytes) -> str:
    """Returns bytes as text; zeros are appended until there is a multiple of four."""
    padded = content + bytes(-len(content) % 4)
    return "".join(_five(int.from_bytes(padded[at : at + 4])) for at in range(0, len(padded), 4))


def _five(number: int) -> str:
    return "".join(_Z85[number // 85**power % 85] for power in range(4, -1, -1))


def stored(dice: Dice, root: Path, rows: Iterable[int], storage: Storage) -> dict[str, Any]:
    """Returns a vector's descriptor (PROTOCOL.md, "Deletion Vector Descriptor Schema"), and writes its file if any."""
    rows = list(rows)
    content = bitmap(rows)
    described = {"storageType": storage, "sizeInBytes": len(content), "cardinality": len(rows)}
    if storage == "i":
        return described | {"pathOrInlineDv": z85(content)}
    name, prefix = uuid.UUID(int=dice.getrandbits(128), version=4), dice.choice(["", "ab"])
    path = root / prefix / f"deletion_vector_{name}.bin"
    path.parent.mkdir(exist_ok=True)
    before = dice.choice([b"", bitmap([0, 7])])
    blocks = [_block(each) for each in (before, content) if each]
    path.write_bytes(b"\x01" + b"".join(blocks))
    offset = 1 + sum(map(len, blocks[:-1]))
    where = f"{prefix}{z85(name.bytes)}" if storage == "u" else path.as_uri()
    return described | {"pathOrInlineDv": where, "offset": offset}


def _block(content: bytes) -> bytes:
    return struct.pack(">i", len(content)) + content + struct.pack(">I", zlib.crc32(content))
