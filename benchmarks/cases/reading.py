"""Reading, in process: each question is put in a fresh process; of ours the second time counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import deltalake

from ..bench import TABLE, Bench, ask_delta_rs, ask_us, delta_rs_opens, ours
from ..measure import Contender, Run, in_turn, seconds, told
from ..outcome import Outcome, at_most, duration, faster

Results = Mapping[str, list[Run]]
OPEN_SECONDS, SYNC_SECONDS = 0.020, 0.050
DAY = "2024-03-03"


def by_partition(bench: Bench) -> Outcome:
    """A day, and a fifth of the ids."""
    low, high = 40 * bench.files, 60 * bench.files
    return _files(bench, 100, f"day = '{DAY}' AND id >= {low} AND id < {high}")


def by_statistics(bench: Bench) -> Outcome:
    """A thousandth of the ids, read from the statistics as they stand in the log."""
    _index(bench, drop=True)
    return _files(bench, 3, _few_ids(bench))


def by_index(bench: Bench) -> Outcome:
    """A thousandth of the ids, after `deltalakedb index TABLE id`."""
    _index(bench)
    return _files(bench, 100, _few_ids(bench))


def listing(bench: Bench) -> Outcome:
    """Everything, of a log of commits only."""
    return _listing(bench, bench.log(), bench.at)


def listing_checkpointed(bench: Bench) -> Outcome:
    """Everything, of a log that delta-rs opens fastest."""
    return _listing(bench, bench.checkpointed(), f"{bench.files:,} active")


def opening(bench: Bench) -> Outcome:
    """With a new connection."""
    results = _in_turn(bench, ask_us("open", bench.kept(bench.log()), TABLE), ask_delta_rs("open", bench.log()))
    mine, peer = told(results["ours"]), told(results["delta-rs"])
    return Outcome(
        at=bench.at,
        ours=duration(mine),
        peer=f"{duration(peer)} (delta-rs' open)",
        ratio=f"{peer / mine:,.0f} × faster",
        wanted=f"≤ {duration(OPEN_SECONDS)}",
        reached=mine <= OPEN_SECONDS,
        note=_first(results),
        seconds=(mine, peer),
    )


def time_travel(bench: Bench) -> Outcome:
    """Ours in the middle against ours at the end; delta-rs does the same beside."""
    url, location = bench.kept(bench.log()), bench.log()
    middle = deltalake.DeltaTable(location).version() // 2
    contenders = (
        ask_us("list", url, TABLE, middle, name="middle"),
        ask_us("list", url, TABLE, name="latest"),
        ask_delta_rs("list", location, middle, name="delta-rs"),
    )
    results = in_turn(contenders, bench.runs)
    _same_answer(results, "middle", "delta-rs")
    then, now, peer = (told(results[name]) for name in ("middle", "latest", "delta-rs"))
    files = results["middle"][0].told()["answer"], results["latest"][0].told()["answer"]
    return Outcome(
        at=bench.at,
        ours=f"{duration(then)}, latest {duration(now)}",
        peer=f"{duration(peer)} (delta-rs, in the middle)",
        ratio=f"{then / now:.2f} ×",
        wanted="≤ 1.2 ×",
        reached=then / now <= 1.2,
        note=f"{files[0]:,} files then, {files[1]:,} now",
        seconds=(then, peer),
    )


def sync(bench: Bench) -> Outcome:
    """Of a hundred new files, to a large table and to one of a five hundredth; the peer updates an open table."""
    tiny = max(100, bench.files // 500)
    large, small = (bench.copy_of(bench.log(files)) for files in (bench.files, tiny))
    contenders = (
        ask_us("sync", bench.kept(large), TABLE, large, name="large"),
        ask_us("sync", bench.kept(small), TABLE, small, name="small"),
        ask_delta_rs("sync", large),
    )
    results = in_turn(contenders, bench.runs)
    mine, less, peer = (told(results[name]) for name in ("large", "small", "delta-rs"))
    return Outcome(
        at=bench.at,
        ours=f"{duration(mine)}, at {tiny:,} {duration(less)}",
        peer=f"{duration(peer)} (delta-rs' update_incremental)",
        ratio=f"{mine / less:.2f} × of {tiny:,}",
        wanted=f"≤ {duration(SYNC_SECONDS)}, ≤ 2 ×",
        reached=mine <= SYNC_SECONDS and mine / less <= 2,
        note="in process, connected before; what is there is durable",
        seconds=(mine, peer),
    )


def validate(bench: Bench) -> Outcome:
    """Whole processes; delta-rs only opens."""
    location = bench.log()
    command = ours("validate", str(location), "--table-id", TABLE, "--database-url", bench.kept(location))
    results = in_turn([Contender("ours", command), delta_rs_opens(location)], bench.runs)
    return at_most(2, seconds(results["ours"]), seconds(results["delta-rs"]), at=bench.at, peer_name="delta-rs' open")


def _files(bench: Bench, times: float, where: str) -> Outcome:
    location = bench.checkpointed()
    results = _in_turn(
        bench, ask_us("files", bench.kept(location), TABLE, where), ask_delta_rs("files", location, where)
    )
    _same_answer(results, "ours", "delta-rs")
    found = results["ours"][0].told()["answer"]["files"]
    return faster(
        times,
        told(results["ours"]),
        told(results["delta-rs"]),
        at=f"{bench.files:,} active",
        peer_name="delta-rs' open and file_uris",
        note=f"`{where}`: the same {found:,} files; {_first(results)}",
    )


def _listing(bench: Bench, location: Path, at: str) -> Outcome:
    results = _in_turn(bench, ask_us("list", bench.kept(location), TABLE), ask_delta_rs("list", location))
    _same_answer(results, "ours", "delta-rs")
    mine, peer = told(results["ours"]), told(results["delta-rs"])
    return at_most(1, mine, peer, at=at, peer_name="delta-rs' open and listing", note=_first(results))


def _few_ids(bench: Bench) -> str:
    return f"id >= {50 * bench.files} AND id < {50 * bench.files + max(500, bench.files // 10)}"


def _index(bench: Bench, *, drop: bool = False) -> None:
    import deltalakedb

    with deltalakedb.connect(bench.kept(bench.checkpointed())) as catalog:
        try:
            catalog.index(TABLE, ["id"], drop=drop)
        except deltalakedb.ArgumentError:
            if not drop:
                raise


def _in_turn(bench: Bench, *contenders: Contender) -> Results:
    return in_turn(contenders, bench.runs)


def _same_answer(results: Results, *names: str) -> None:
    """Raises RuntimeError where two did not answer the same: nothing is measured by a wrong answer."""
    answers = [run.told()["answer"] for name in names for run in results[name]]
    if any(answer != answers[0] for answer in answers):
        raise RuntimeError(f"{' and '.join(names)} differ: {answers}")


def _first(results: Results) -> str:
    return f"the first time in a process, with what Python loads, {duration(told(results['ours'], 'first'))}"
