"""Help texts with examples, and with the options of the database apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

ABOUT_DATABASE = (
    "database_url",
    "database_url_file",
    "read_url",
    "schema",
    "pool_size",
    "connect_timeout",
    "statement_timeout",
    "config",
)
"""The parameters that every command has, and that would hide its own ones."""


class WithExamples(click.Command):
    """A command whose help shows command lines that work as they are written."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = tuple(examples)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples below the text, where they are seen before the options."""
        super().format_help_text(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write(f"{'':{formatter.current_indent}}{'Example' if len(self.examples) == 1 else 'Examples'}:\n")
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}  {example}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the command's own options first."""
        given = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        if not any(option.name in ABOUT_DATABASE for option in given):
            super().format_options(ctx, formatter)
            return
        for title, about_database in (("Options", False), ("Database", True)):
            chosen = (one for one in given if (one.name in ABOUT_DATABASE) is about_database)
            with formatter.section(title):
                formatter.write_dl([record for one in chosen if (record := one.get_help_record(ctx)) is not None])
