"""What all text results are made of: a console, verdicts, cards of facts, tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .human import printable, speaks_unicode

_ENDLESS = 100_000
"""The width of a pipe: nothing is cut or wrapped there."""

_NARROWEST = 12
"""A column that gives way, as one of table ids does, gets no narrower than so many letters."""

_BETWEEN = 3
"""The columns of a terminal between those of a table there."""

_MARKS = {"ok": ("✓", "+", "green"), "bad": ("✗", "x", "bold red"), "note": ("·", "-", "dim")}


def stdout() -> Console:
    """Returns a console on stdout, in which text means itself."""
    width = None if sys.stdout.isatty() else _ENDLESS
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def is_terminal() -> bool:
    """Tells whether a person looks at stdout."""
    return sys.stdout.isatty()


def mark(kind: str) -> Text:
    """Returns a sign for `ok`, `bad` or `note`."""
    sign, plain, style = _MARKS[kind]
    return Text(sign if speaks_unicode() else plain, style)


def title(kind: str | None, name: str, rest: str) -> Text:
    """Returns a headline: a sign, the table's name, what became of it."""
    begin = Text("") if kind is None else mark(kind).append(" ", "not bold")
    return begin.append(printable(name), "bold").append(f" {printable(rest)}", "not bold default")


def line(console: Console, text: Text | str) -> None:
    """Prints one line, which the terminal may wrap but nobody cuts."""
    console.print(text, soft_wrap=True)


def card(console: Console, head: Text, facts: Iterable[tuple[str, str]]) -> None:
    """Prints a headline, and facts below it in two columns."""
    facts = list(facts)
    line(console, head)
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        fact(console, Text(f"  {name:{width}}  ", "dim"), value)


def fact(console: Console, begin: Text, value: str) -> None:
    """Prints a text behind its beginning. Where it has to be wrapped, it goes on below itself.

    Only blanks break: a path that is too long stays in one piece, so that it can be copied.
    """
    width = console.width - begin.cell_len if is_terminal() else _ENDLESS
    wrapped = wrap(printable(value), max(20, width), break_long_words=False, break_on_hyphens=False)
    blank = "\n" + " " * begin.cell_len
    line(console, begin.append(blank.join(wrapped), "not dim"))


def table(*columns: str, right: Sequence[str] = (), fold: Sequence[str] = ()) -> Table:
    """Returns an empty table; columns named in `right` hold numbers, those in `fold` give way where it is narrow."""
    grid = Table(
        box=box.SIMPLE_HEAD if is_terminal() else None,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1) if is_terminal() else (0, 2, 0, 0),
        header_style="dim",
        border_style="dim",
    )
    for name in columns:
        justify = "right" if name in right else "left"
        grid.add_column(name, justify=justify, no_wrap=name not in fold, overflow="fold")  # type: ignore[arg-type]
    return grid


def show(console: Console, grid: Table) -> None:
    """Prints a table; in a pipe without the blanks that pad its lines, on a narrow terminal row by row."""
    if is_terminal():
        if _width(grid) <= console.width:
            console.print(grid)
        else:
            _rows(console, grid)
        return
    with console.capture() as captured:
        console.print(grid)
    sys.stdout.writelines(f"{text.rstrip()}\n" for text in captured.get().splitlines())


def _width(grid: Table) -> int:
    """Returns how many columns of a terminal a table needs, for the names in it to be read."""
    widths = []
    for column in grid.columns:
        cells = [Text(str(column.header)), *(each for each in column.cells if isinstance(each, Text))]
        widest = max(each.cell_len for each in cells)
        gives_way = not column.no_wrap or not column.header  # a bar may be cut
        widths.append(min(widest, _NARROWEST) if gives_way else widest)
    return sum(widths) + _BETWEEN * (len(widths) - 1)


def _rows(console: Console, grid: Table) -> None:
    """Prints the rows of a table that is too wide for the terminal: a headline each, and below it what it says."""
    names = [str(column.header) for column in grid.columns]
    between = f" {mark('note').plain} "
    for row in zip(*(column.cells for column in grid.columns), strict=True):
        cells = [(name, each) for name, each in zip(names, row, strict=True) if isinstance(each, Text)]
        at = 1 if names[0] else 2  # a sign stands before the name
        line(console, Text(" ").join(each for _, each in cells[:at]))
        fact(console, Text("  "), between.join(f"{name} {each.plain}" for name, each in cells[at:] if each.plain))


def cell(text: str, style: str = "") -> Text:
    """Returns the content of a table's cell."""
    return Text(printable(text), style)
