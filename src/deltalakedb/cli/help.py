"""Help texts with examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click


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
