"""Charts, drawn on the server as SVG without scripts and without anything from outside."""

from __future__ import annotations

import sys
from typing import Any

import pygal
from pygal.style import Style

from ..catalog.views import SMALL_FILE_BYTES

# pygal puts a finder for its own plug-ins behind every import of the process, in a form that Python no longer knows.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "PluginImportFixer"]

# Readable on white and on black; what is drawn lies on the page's own ground.
_STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground="#808080",
    foreground_strong="#808080",
    foreground_subtle="#80808080",
    colors=("#2f80d0", "#d07030"),
    font_family="sans-serif",
)


def growth(points: list[dict[str, Any]]) -> bytes:
    """Returns files and MiB over versions, as SVG."""
    chart = pygal.XY(**_options(), dots_size=2, secondary_range=None)
    chart.add("files", [(point["version"], point["files"]) for point in points])
    if points:  # a second axis needs something to measure
        chart.add("MiB", [(point["version"], point["bytes"] / (1 << 20)) for point in points], secondary=True)
    return _svg(chart)


def sizes(classes: list[dict[str, Any]]) -> bytes:
    """Returns a histogram of file sizes in which the small ones stand apart, as SVG."""
    chart = pygal.StackedBar(**_options())
    chart.x_labels = [size_class(one["below_bytes"]) for one in classes]
    small = [one["below_bytes"] is not None and one["below_bytes"] <= SMALL_FILE_BYTES for one in classes]
    chart.add("files", [0 if is_small else one["files"] for one, is_small in zip(classes, small, strict=True)])
    chart.add("small files", [one["files"] if is_small else 0 for one, is_small in zip(classes, small, strict=True)])
    return _svg(chart)


def size_class(below: int | None) -> str:
    """Returns `< 1 MiB`, or `larger` for the class without an end."""
    if below is None:
        return "larger"
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if below >= 1 << power:
            return f"< {below >> power} {unit}"
    return f"< {below} B"


def _options() -> dict[str, Any]:
    return {"style": _STYLE, "js": (), "width": 640, "height": 260, "show_minor_x_labels": False, "no_prefix": True}


def _svg(chart: Any) -> bytes:
    rendered: bytes = chart.render()
    return rendered
