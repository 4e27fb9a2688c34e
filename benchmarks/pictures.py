"""The pictures in docs/: how imports grow, and how everything compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
# Text stays text, and the same figures make the same file.
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "deltalakedb", "font.family": "sans-serif"})

from matplotlib import pyplot as plt  # noqa: E402  # after the choice of what draws

OURS, PEER = "#1b6ca8", "#b0b7bd"


def draw(folder: Path, known: dict[str, dict[str, Any]], order: list[str]) -> None:
    """Draws what there are figures for."""
    if curve := known.get("growth", {}).get("curve"):
        _growth(folder / "benchmarks-growth.svg", curve)
    rows = [(name, known[name]["seconds"]) for name in order if known.get(name, {}).get("seconds")]
    if rows:
        _comparison(folder / "benchmarks-comparison.svg", rows)


def _growth(path: Path, curve: list[list[float]]) -> None:
    adds, ours, peer = zip(*curve, strict=True)
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot(adds, ours, marker="o", color=OURS, label="import into PostgreSQL")
    axes.plot(adds, peer, marker="o", color=PEER, label="delta-rs opens the log once")
    axes.set(xlabel="adds in the log", ylabel="seconds", xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _save(figure, axes, path)


def _comparison(path: Path, rows: list[tuple[str, list[float]]]) -> None:
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(rows) + 1.2))
    places = range(len(rows))
    axes.barh([place - 0.2 for place in places], [pair[0] for _, pair in rows], 0.38, color=OURS, label="deltalakedb")
    axes.barh([place + 0.2 for place in places], [pair[1] for _, pair in rows], 0.38, color=PEER, label="peer")
    axes.set_yticks(places, [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="seconds, logarithmic")
    _save(figure, axes, path)


def _save(figure: Any, axes: Any, path: Path) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
