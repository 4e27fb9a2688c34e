"""Imports: whole processes, each into an empty database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..bench import Bench, delta_rs_opens
from ..logs import Shape, make_log
from ..measure import Contender, in_turn, seconds, told
from ..outcome import Outcome, at_most, duration
from ..server import mariadb

LISTING = "table.get_add_actions()"


def postgresql(bench: Bench) -> Outcome:
    """Against delta-rs' open."""
    return _against(bench, 0.7, bench.log(), bench.import_into_postgresql(bench.log()))


def mysql(bench: Bench) -> Outcome:
    """Against PostgreSQL, in the same run."""
    with mariadb() as server:
        ours, peer = bench.import_into_mysql(bench.log(), server), bench.import_into_postgresql(bench.log())
        results = in_turn([ours, peer], bench.runs)
    return at_most(2.0, seconds(results[ours.name]), seconds(results[peer.name]), at=bench.at, peer_name="PostgreSQL")


def sqlite(bench: Bench) -> Outcome:
    """Against delta-rs' open."""
    return _against(bench, 0.6, bench.log(), bench.import_into_sqlite(bench.log()))


def raw_limit(bench: Bench) -> Outcome:
    """Against parsing the same lines and copying the same rows."""
    ours, peer = bench.import_into_postgresql(bench.log()), bench.raw_limit(bench.log())
    results = in_turn([ours, peer], bench.runs)
    return at_most(
        1.0, seconds(results[ours.name]), seconds(results[peer.name]), at=bench.at, peer_name="orjson, then COPY"
    )


def checkpointed(bench: Bench) -> Outcome:
    """Against delta-rs' open and listing."""
    location = bench.checkpointed()
    outcome = _against(bench, 1.5, location, bench.import_into_postgresql(location), LISTING)
    return replace(outcome, at=f"{bench.files:,} active", note=f"into PostgreSQL; {outcome.note}")


def growth(bench: Bench) -> Outcome:
    """How the time per add grows; what a table of ten adds takes is taken off."""
    sizes = sorted({bench.small, bench.files // 10, bench.files})
    tiny = make_log(bench.logs, Shape(10, 1))
    contenders = [bench.import_into_postgresql(tiny, "start-up")]
    for size in sizes:
        contenders.append(bench.import_into_postgresql(bench.log(size), f"import of {size}"))
        contenders.append(delta_rs_opens(bench.log(size), name=f"delta-rs {size}"))
    results = in_turn(contenders, bench.runs)
    start = seconds(results["start-up"])
    curve = [(size, seconds(results[f"import of {size}"]), seconds(results[f"delta-rs {size}"])) for size in sizes]
    per_add = [max(ours - start, 1e-9) / size for size, ours, _ in curve]
    times = per_add[-1] / per_add[0]
    shown = [f"{each * 1e6:.1f} µs an add at {size:,}" for each, size in zip(per_add, sizes, strict=True)]
    return Outcome(
        at=f"{sizes[0]:,} → {sizes[-1]:,}",
        ours=f"{shown[0]}, {shown[-1]}",
        peer="itself",
        ratio=f"{times:.2f} ×",
        wanted="≤ 1.3 ×",
        reached=times <= 1.3,
        note=f"start-up: {duration(start)}",
        curve=curve,
    )


def _against(bench: Bench, times: float, location: Path, ours: Contender, then: str = "") -> Outcome:
    alone = bench.load_alone(location, ours)
    results = in_turn([ours, delta_rs_opens(location, then), alone], bench.runs)
    limit = duration(told(results[alone.name]))
    return at_most(
        times,
        seconds(results[ours.name]),
        seconds(results["delta-rs"]),
        at=bench.at,
        peer_name="delta-rs' open and listing" if then else "delta-rs' open",
        note=f"of which the database alone takes {limit} for the rows of the files, packed beforehand",
    )
