"""Tables with data files, whose logs are written by hand: for what no writer at hand writes any more, or ever did."""

import struct
from base64 import b85encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from deltalakedb.table.delta_table import DeltaTable
from tests.support.logs import Action, LogBuilder, add


def data_file(log: LogBuilder, name: str, rows: pa.Table, **fields: Any) -> Action:
    """Writes a data file and returns its add; `fields` are the add's."""
    path = Path(log.root, name)
    pq.write_table(rows, path)
    return add(name, **{"size": path.stat().st_size, "stats": ..., **fields})


def deleting(*rows: int) -> dict[str, Any]:
    """Returns a deletion vector, in the log itself, of rows below 65,536 (PROTOCOL.md, "Deletion Vector Format")."""
    header = struct.pack("<iqI", 1681511377, 1, 0) + struct.pack("<iiHHi", 12346, 1, 0, len(rows) - 1, 16)
    data = header + struct.pack(f"<{len(rows)}H", *sorted(rows))
    padded = data.ljust(-(-len(data) // 4) * 4, b"\0")
    text = b85encode(padded).decode().translate(str.maketrans(_B85, _Z85))
    return {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(data), "cardinality": len(rows)}


_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"


def in_duckdb(table: DeltaTable) -> list[dict[str, Any]]:
    """Returns the rows that DuckDB gets."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return table.to_duckdb(connection, "t").to_arrow_table().to_pylist()


WAYS: dict[str, Callable[[DeltaTable], list[dict[str, Any]]]] = {
    "scan": lambda table: table.scan().read_all().to_pylist(),
    "to_pyarrow_table": lambda table: table.to_pyarrow_table().to_pylist(),
    "to_pyarrow_dataset": lambda table: table.to_pyarrow_dataset().to_table().to_pylist(),
    "to_pandas": lambda table: pa.Table.from_pandas(table.to_pandas(), table.to_pyarrow_table().schema).to_pylist(),
    "to_duckdb": in_duckdb,
    "to_polars": lambda table: table.to_polars().collect().to_arrow().to_pylist(),
}
"""Every way to all rows of a table."""
