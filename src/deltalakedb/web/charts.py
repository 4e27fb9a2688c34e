"""Charts, drawn on the server as SVG: without scripts, styles or anything from outside. style.css gives the colours."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree

import pygal
from markupsafe import Markup

from ..catalog.views import SMALL_FILE_BYTES
from . import words

# pygal puts a finder for its own plug-ins behind every import of the process, in a form that Python no longer knows.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "PluginImportFixer"]

_WIDTH, _HEIGHT = 420, 190
_OPTIONS: dict[str, Any] = {
    "css": [],
    "js": (),
    "width": _WIDTH,
    "height": _HEIGHT,
    "margin": 6,
    "spacing": 4,
    "show_legend": False,
    "show_dots": False,
    "no_prefix": True,
    "include_x_axis": True,
}
_FROM_PYGAL = ("defs", "desc", "title")
_OVERLAYS = ("titles", "plot overlay", "plot text-overlay", "plot tooltip-overlay")

Point = dict[str, Any]


def over_time(points: Sequence[Point], name: str, label: str, say: Callable[[float], str]) -> Markup:
    """Returns a number over time as SVG: over the commits' times, or over versions where those go back and forth.

    Args:
        points: with `version`, `timestamp` (ms) and the number.
        name: which number of a point.
        label: what the chart is, for those who don't see it.
        say: a number in words.
    """
    if not points:
        return Markup()
    times = [words.time_of(point["timestamp"]) for point in points]
    by_time = None not in times and times == sorted(times) and times[0] != times[-1]  # type: ignore[type-var]
    places = [point["timestamp"] / 1000 if by_time else point["version"] for point in points]
    chart = pygal.XY(**_OPTIONS, fill=True)
    steps: list[tuple[float, float]] = []
    for place, point in zip(places, points, strict=True):
        if steps:
            steps.append((place, steps[-1][1]))  # nothing changes between two commits
        steps.append((place, point[name]))
    if len(steps) == 1:
        steps.append((places[0] + 1, points[0][name]))
    chart.y_labels = _ticks(max(point[name] for point in points), binary=name == "bytes", say=say)
    ends = [places[0], (places[0] + places[-1]) / 2, places[-1]] if places[0] != places[-1] else [places[0]]
    span = places[-1] - places[0]
    chart.x_labels = [
        {"value": at, "label": _day(at, span) if by_time else f"version {at:.0f}"} for at in dict.fromkeys(ends)
    ]
    chart.add("area", steps)
    chart.add("line", steps, fill=False)
    return _svg(chart, label, anchored=True)


def sizes(classes: Sequence[Point], label: str) -> Markup:
    """Returns a histogram of file sizes in which the small ones stand apart, as SVG."""
    chart = pygal.StackedBar(**_OPTIONS)
    names = [words.size_class(one["below_bytes"]) for one in classes]
    chart.x_labels = [name.removeprefix("< ") if name != "larger" else "more" for name in names]
    small = [one["below_bytes"] is not None and one["below_bytes"] <= SMALL_FILE_BYTES for one in classes]
    chart.y_labels = _ticks(max((one["files"] for one in classes), default=0), binary=False, say=words.short)
    for is_small in (False, True):
        chart.add("", [one["files"] if small[at] is is_small else 0 for at, one in enumerate(classes)])
    told = [f"{name}: {one['files']:,} files" for name, one in zip(names, classes, strict=True)]
    return _svg(chart, label, told=told * 2)


def bar(part: float, whole: float) -> Markup:
    """Returns a bar that is as full as a part is of a whole, as SVG; what it says stands beside it."""
    width = 100 * part / whole if whole else 0
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="whole" width="100" height="8"/><rect class="part" width="{:.2f}" height="8"/></svg>'
    ).format(max(0.0, min(100.0, width)))


def _ticks(most: float, *, binary: bool, say: Callable[[float], str]) -> list[dict[str, Any]]:
    """Returns round numbers from 0 to at least `most`, four or fewer apart."""
    if most <= 0:
        return [{"value": value, "label": say(value)} for value in (0, 1)]
    unit = 1024.0 ** math.floor(math.log(most, 1024)) if binary else 1.0
    rough = most / unit / 3
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough) * unit
    if not binary:
        step = max(1.0, step)
    return [{"value": number * step, "label": say(number * step)} for number in range(math.ceil(most / step) + 1)]


def _day(seconds: float, span: float) -> str:
    found = words.time_of(int(seconds * 1000))
    assert found is not None
    if span < 120:
        return f"{found:%H:%M:%S}"
    return f"{found:%H:%M}" if span < 86_400 else f"{found:%Y-%m-%d}"


def _svg(chart: Any, label: str, *, anchored: bool = False, told: Sequence[str] = ()) -> Markup:
    root = ElementTree.fromstring(chart.render())
    _strip(root)
    root.attrib.pop("id", None)
    root.set("class", "chart")
    root.set("role", "img")
    root.set("aria-label", label)
    if anchored:
        _anchor(root)
    for rect, text in zip(_with_class(root, "rect reactive tooltip-trigger"), told, strict=False):
        ElementTree.SubElement(rect, "title").text = text
    ElementTree.register_namespace("", "http://www.w3.org/2000/svg")
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _strip(element: ElementTree.Element) -> None:
    """Takes out what would need styles or scripts, and what says only that pygal was here."""
    for child in list(element):
        if _name(child) in _FROM_PYGAL or child.get("class") in _OVERLAYS:
            element.remove(child)
        else:
            _strip(child)


def _anchor(root: ElementTree.Element) -> None:
    """Keeps the first and the last label of the time's axis inside the picture."""
    (axis,) = _with_class(root, "axis x")
    labels = [each for each in axis.iter() if _name(each) == "text"]
    for label, place in ((labels[0], "start"), (labels[-1], "end")) if len(labels) > 1 else ():
        label.set("class", place)


def _with_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in root.iter() if each.get("class") == name]


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]
