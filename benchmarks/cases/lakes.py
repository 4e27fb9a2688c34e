"""Many small tables."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from ..bench import Bench, ours
from ..logs import make_tables
from ..measure import Contender, in_turn, seconds
from ..outcome import Outcome

TABLES_A_SECOND = 50


def batch(bench: Bench) -> Outcome:
    """Whole processes; delta-rs opens all tables one after the other, in one process."""
    tables = min(1000, max(4, bench.files // 100))
    folder = make_tables(bench.logs, tables)
    url = urlsplit(bench.server)._replace(path="/bench_batch").geturl()
    command = ours("batch-import", str(folder), "--parallel", "2", "--database-url", url)
    opening = f"import pathlib, deltalake; [deltalake.DeltaTable(p) for p in pathlib.Path({str(folder)!r}).iterdir()]"
    contenders = (
        Contender("ours", command, lambda: _fresh(bench)),
        Contender("delta-rs", [sys.executable, "-c", opening]),
    )
    results = in_turn(contenders, bench.runs)
    mine, peer = seconds(results["ours"]), seconds(results["delta-rs"])
    rate = tables / mine
    return Outcome(
        at=f"{tables:,} tables",
        ours=f"{rate:.0f} tables a second",
        peer=f"{tables / peer:.0f} tables a second (delta-rs' open)",
        ratio=f"{mine / peer:.2f} ×",
        wanted=f"≥ {TABLES_A_SECOND} tables a second",
        reached=rate >= TABLES_A_SECOND,
        seconds=(mine, peer),
    )


def _fresh(bench: Bench) -> None:
    bench.database("batch")
