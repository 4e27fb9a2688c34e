"""Questions asked in a fresh process: `python -m benchmarks.ask SIDE QUESTION ARGUMENT…`, as JSON.

We are asked twice, with a new connection each time. The first time pays for what Python loads on the way; the second is
what a program waits for. The peer, which loads nothing on the way, opens the log once.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Timed = tuple[float, Any]
"""Seconds, and the answer, by which the two sides are held against each other."""


def main() -> None:
    """Prints the seconds of the first and the last time, and the last answer."""
    side, question, *given = sys.argv[1:]
    ask = {"ours": OURS, "peer": PEER}[side][question]
    first, answer = ask(*given)
    seconds, answer = ask(*given) if side == "ours" else (first, answer)
    print(json.dumps({"first": first, "seconds": seconds, "answer": answer}))


def _timed(work: Callable[[], Any]) -> Timed:
    begun = time.perf_counter()
    answer = work()
    return time.perf_counter() - begun, answer


def _digest(names: Iterable[str]) -> dict[str, Any]:
    names = sorted(names)
    return {"files": len(names), "sha256": hashlib.sha256("\n".join(names).encode()).hexdigest()}


def _our_files(url: str, table_id: str, where: str) -> Timed:
    import deltalakedb

    def ask() -> list[str]:
        with deltalakedb.connect(url) as catalog:
            return catalog.table(table_id).files(where)["path"].to_pylist()

    seconds, paths = _timed(ask)
    return seconds, _digest(paths)


def _peer_files(location: str, where: str) -> Timed:
    from deltalake import DeltaTable

    seconds, uris = _timed(lambda: DeltaTable(location).file_uris(file_pruning_predicate=where))
    return seconds, _digest(uri.partition(f"{location}/")[2] for uri in uris)


def _our_list(url: str, table_id: str, version: str = "") -> Timed:
    import pyarrow as pa

    import deltalakedb

    def ask() -> int:
        with deltalakedb.connect(url) as catalog:
            table = catalog.table(table_id, version=int(version) if version else None)
            return pa.table(table.get_add_actions()).num_rows

    return _timed(ask)


def _peer_list(location: str, version: str = "") -> Timed:
    import pyarrow as pa
    from deltalake import DeltaTable

    def ask() -> int:
        return pa.table(DeltaTable(location, version=int(version) if version else None).get_add_actions()).num_rows

    return _timed(ask)


def _our_open(url: str, table_id: str) -> Timed:
    import deltalakedb

    def ask() -> list[Any]:
        with deltalakedb.connect(url) as catalog:
            table = catalog.table(table_id)
            return [table.version(), len(table.schema().fields)]

    return _timed(ask)


def _peer_open(location: str) -> Timed:
    from deltalake import DeltaTable

    def ask() -> list[Any]:
        table = DeltaTable(location)
        return [table.version(), len(table.schema().fields)]

    return _timed(ask)


def _our_sync(url: str, table_id: str, location: str) -> Timed:
    import deltalakedb

    from .logs import append_commit

    with deltalakedb.connect(url) as catalog:
        catalog.sync(table_id)  # what the peer's turn has put there
        version = append_commit(Path(location))
        seconds, report = _timed(lambda: catalog.sync(table_id))
    if report.version != version:
        raise RuntimeError(f"the sync came to version {report.version}, not {version}")
    return seconds, None


def _peer_sync(location: str) -> Timed:
    from deltalake import DeltaTable

    from .logs import append_commit

    table = DeltaTable(location)
    version = append_commit(Path(location))
    seconds, _ = _timed(table.update_incremental)
    if table.version() != version:
        raise RuntimeError(f"the update came to version {table.version()}, not {version}")
    return seconds, None


OURS: dict[str, Callable[..., Timed]] = {
    "files": _our_files,
    "list": _our_list,
    "open": _our_open,
    "sync": _our_sync,
}
PEER: dict[str, Callable[..., Timed]] = {
    "files": _peer_files,
    "list": _peer_list,
    "open": _peer_open,
    "sync": _peer_sync,
}

if __name__ == "__main__":
    main()
