"""Asking before something is deleted: on a terminal, unless `--yes` says it already."""

from __future__ import annotations

import sys

import click

from .logs import are_for_machines

yes = click.option("--yes", is_flag=True, help="Don't ask.")


def check_answerable(what: str) -> None:
    """Raises ArgumentError where nobody can be asked for a confirmation of `what`, the subject of a sentence."""
    if not sys.stdin.isatty() or are_for_machines():
        from ..errors import ArgumentError

        raise ArgumentError(f"{what} wants to be confirmed, and nobody is there to ask.", "Add --yes.")
