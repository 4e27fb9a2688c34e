"""Writes what the pages say of the program's own behaviour: `make docs`.

A page's ```bash, ```python and ```sql blocks are run, in order, in a folder of the page's own. What a block prints
replaces the ```text block behind it. docs/cli.md is made of the commands' own help.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

DOCS = Path(__file__).parent
PAGES = ("migration-guide.md", "sql.md", "python.md", "operations.md", "monitoring.md", "databases.md")
CATALOG = "catalog.db"
"""The catalog that a page's commands make and its SQL asks."""

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_RUN = ("bash", "python", "sql")


_REFERENCE_HEAD = """# Commands

This page is made of the commands' own help by `make docs`.

Exit codes: 0 done · 1 failed · 2 wrong usage · 3 differences found (`validate`, `copy-catalog`), or rollback
not safe (`verify-rollback`, `rollback`).
"""


class BlockFailedError(Exception):
    """A block of a page ended with an error."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, what is in it, and where it stands in the page."""

    language: str
    text: str
    start: int
    end: int


def blocks(page: str) -> list[Block]:
    """Returns a page's fenced blocks, in their order."""
    return [Block(match[1], match[2], match.start(), match.end()) for match in _BLOCK.finditer(page)]


def run_page(page: str, folder: Path, url: str | None = None) -> Iterator[tuple[Block, Block | None, str]]:
    """Runs a page; yields each block that runs, the ```text block behind it (if any), and what was printed.

    Args:
        page: its text.
        folder: where it runs.
        url: the catalog that its commands make and its SQL asks; by default one in the folder. In MySQL a ```mysql
            block is run in place of the ```sql block before it.

    Raises:
        BlockFailedError: a block failed.
    """
    found = blocks(page)
    for at, block in enumerate(found):
        if block.language in _RUN:
            behind = found[at + 1 : at + 3]
            shown = behind.pop(0) if behind and behind[0].language == "text" else None
            other = behind and behind[0].language == "mysql" and (url or "").startswith(("mysql:", "mariadb:"))
            yield block, shown, _run(replace(block, text=behind[0].text) if other else block, folder, url)


def _run(block: Block, folder: Path, url: str | None) -> str:
    if block.language == "sql":
        return _query(block.text, url or f"sqlite:///{folder / CATALOG}")
    command = ["bash", "-e", "-c", block.text] if block.language == "bash" else [sys.executable, "-c", block.text]
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=_environment(url),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BlockFailedError(f"{block.text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.replace(str(folder), "/home/you").rstrip() + "\n"


def _environment(url: str | None = None) -> dict[str, str]:
    beside = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}",
        "DELTALAKEDB_DATABASE_URL": url or f"sqlite:///{CATALOG}",
        "COLUMNS": "100",
    }


def _query(text: str, url: str) -> str:
    import sqlalchemy as sa

    url = url.replace("postgresql://", "postgresql+psycopg://").replace("mysql://", "mysql+pymysql://")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        lines = []
        with engine.begin() as connection:
            for statement in filter(str.strip, text.split(";")):
                result = connection.exec_driver_sql(statement)
                if result.returns_rows:
                    lines += _table(list(result.keys()), [tuple(row) for row in result])
        return "\n".join(lines) + "\n"
    except sa.exc.DBAPIError as error:
        raise BlockFailedError(f"{text}\n{error.orig}") from error


def _table(names: list[str], rows: list[tuple[object, ...]]) -> list[str]:
    cells = [names, *(["" if value is None else str(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def with_output(page: str, folder: Path) -> str:
    """Returns the page with what its blocks print now."""
    changes = [(shown, output) for _, shown, output in run_page(page, folder) if shown is not None]
    for shown, output in reversed(changes):
        page = page[: shown.start] + f"```text\n{output}```" + page[shown.end :]
    return page


def command_reference() -> str:
    """Returns docs/cli.md, made of the commands' own help."""
    import click

    from deltalakedb.cli.app import program

    parts = [_REFERENCE_HEAD]
    with click.Context(program, info_name="deltalakedb", terminal_width=100, max_content_width=100) as context:
        parts.append(_help("deltalakedb", program.get_help(context)))
        for name in program.list_commands(context):
            command = program.get_command(context, name)
            assert command is not None
            with click.Context(command, info_name=name, parent=context, terminal_width=100) as inner:
                parts.append(_help(name, command.get_help(inner)))
    return "\n".join(parts)


def _help(name: str, text: str) -> str:
    return f"## {name}\n\n```text\n{text.rstrip()}\n```\n"


def picture(command: list[str], title: str) -> str:
    """Returns what a command shows on a terminal of 100 columns, as SVG."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(_on_a_terminal(command)), end="")
    return console.export_svg(title=title)


def _on_a_terminal(command: list[str]) -> str:
    """What a command writes to stdout where that is a terminal; progress goes to stderr, which is none."""
    ours, theirs = pty.openpty()
    environment = {**_environment(), "TERM": "xterm-256color"}
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=theirs, stderr=subprocess.DEVNULL)
        os.close(theirs)
        parts = []
        while chunk := _read(ours):
            parts.append(chunk)
        if process.wait():
            raise BlockFailedError(f"{command} ended with {process.returncode}")
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n").replace(folder, "/tmp/demo")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side has closed the terminal
        return b""


def main() -> None:
    """Writes every page anew."""
    (DOCS / "cli.md").write_text(command_reference())
    (DOCS / "demo.svg").write_text(picture(["deltalakedb", "demo"], "make demo"))
    for name in PAGES:
        path = DOCS / name
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(with_output(path.read_text(), Path(folder)))
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
