"""Memory and disk."""

from __future__ import annotations

from pathlib import Path

import psycopg

from ..bench import Bench, delta_rs_opens
from ..logs import Shape, log_bytes, make_log
from ..measure import in_turn, peak_bytes
from ..outcome import Outcome, megabytes

MOST, MOST_MORE = 600e6, 200e6
WANTED = f"≤ {megabytes(MOST)}, ≤ {megabytes(MOST_MORE)} more than small"
_CATALOG = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm')
"""


def memory(bench: Bench) -> Outcome:
    """At the large size and at the small one."""
    return _memory(bench, bench.log())


def memory_of_one_commit(bench: Bench) -> Outcome:
    """A single commit of everything, against the small size in many commits."""
    return _memory(bench, make_log(bench.logs, Shape(bench.files, 1)))


def catalog(bench: Bench) -> Outcome:
    """All tables with their indexes, against the bytes of the commits."""
    with psycopg.connect(bench.kept(bench.log())) as connection:
        (told,) = connection.execute(_CATALOG).fetchone() or (0,)
    ours, log = float(told), log_bytes(bench.log())
    ratio = ours / log
    return Outcome(bench.at, megabytes(ours), f"{megabytes(log)} (log)", f"{ratio:.2f} ×", "≤ 1 ×", ratio <= 1)


def _memory(bench: Bench, location: Path) -> Outcome:
    large, small = (
        bench.import_into_postgresql(location, "large"),
        bench.import_into_postgresql(bench.log(bench.small), "small"),
    )
    results = in_turn([large, small, delta_rs_opens(location)], bench.runs, memory=True)
    ours, less, peer = (peak_bytes(results[name]) for name in ("large", "small", "delta-rs"))
    return Outcome(
        at=bench.at,
        ours=megabytes(ours),
        peer=f"{megabytes(peer)} (delta-rs' open)",
        ratio=f"{megabytes(ours - less)} more than at {bench.small:,}",
        wanted=WANTED,
        reached=ours <= MOST and ours - less <= MOST_MORE,
        note="the resident memory of all processes of the import added up, pages that they share counted each time",
    )
