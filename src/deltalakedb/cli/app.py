"""The program `deltalakedb`: finds the command, runs it, and turns whatever happens into an exit code.

0 done · 1 failed · 2 wrong usage · 3 differences found, or rollback not safe
130, 143 stopped by Ctrl-C or SIGTERM · 141 the reader of stdout went away
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from ..catalog.secrets import Secrets
from ..steps import step
from .arguments import Arguments
from .failures import explain
from .help import WithExamples
from .logs import are_for_machines, logging_to_stderr, say
from .output import output_for
from .secrets import secrets_of
from .signals import Terminated, terminable
from .streams import close_stdout, make_usable

logger = logging.getLogger(__name__)

# In the order in which a migration needs them. Modules are imported when their command is, so that all others are free.
_COMMANDS = {
    "discover": "discover",
    "import": "import_",
    "batch-import": "batch_import",
    "validate": "validate",
    "performance-compare": "performance_compare",
    "migration-status": "migration_status",
    "sync": "sync",
    "check": "check",
    "serve": "serve",
    "files": "files",
    "history": "history",
    "events": "events",
    "index": "index",
    "export": "export",
    "verify-rollback": "verify_rollback",
    "rollback": "rollback",
    "demo": "demo",
    "config": "config",
    "grants": "grants",
    "upgrade": "upgrade",
    "copy-catalog": "copy_catalog",
}

_INTERRUPTED, _READER_GONE, _TERMINATED = 130, 141, 143


class _Stopped(Exception):
    """Carries what click would swallow or print about: an interrupt, or a closed pipe."""


class _Commands(WithExamples, click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's interface)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(f".commands.{module}", __package__).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            close = get_close_matches(name, _COMMANDS)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise _Stopped from error


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"deltalakedb {version('deltalakedb')}")
        ctx.exit()


@click.group(
    cls=_Commands,
    examples=[
        "deltalakedb discover /lake --recursive",
        "deltalakedb import /lake/orders --database-url postgresql://me@db/lake",
        "deltalakedb validate /lake/orders --database-url postgresql://me@db/lake",
    ],
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def program() -> None:
    """Delta Lake metadata in a SQL database.

    Imports the logs of Delta tables, proves the result equal to them, answers from SQL, and undoes it all at any
    moment. The tables themselves are never touched.

    `deltalakedb demo` shows all of it on a table of its own.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line, by default the process's own, and returns the exit code."""
    make_usable()
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = Arguments(tuple(words))
    secrets = secrets_of(given)
    with (
        terminable(),
        logging_to_stderr(
            verbose=given.verbose,
            secrets=secrets,
            for_machines=given.log_format == "json",
            command=given.command,
        ),
    ):
        begun = time.perf_counter()
        logger.info("%s begins", given.command, extra=step("command_started", arguments=words))
        code = run_line(words, secrets)
        ended = step("command_ended", exit_code=code, seconds=time.perf_counter() - begun)
        logger.info("%s ended with exit code %d", given.command, code, extra=ended)
        return code


def run_line(words: Sequence[str], secrets: Secrets | None = None) -> int:
    """Runs one command line where signals and log are set up already, and returns the exit code.

    `secrets` learn what the command line leads to.
    """
    given = Arguments(tuple(words))
    secrets = secrets or secrets_of(given)
    try:
        code = program.main(
            list(given.words), prog_name="deltalakedb", standalone_mode=False, color=_color(), obj=secrets
        )
        sys.stdout.flush()
    except (_Stopped, click.Abort, KeyboardInterrupt, BrokenPipeError) as error:
        return _stopped(given, secrets, error.__cause__ or error)
    except Exception as error:
        return _failed(given, secrets, error)
    return code if isinstance(code, int) else 0


def _stopped(given: Arguments, secrets: Secrets, error: BaseException) -> int:
    if isinstance(error, BrokenPipeError):
        close_stdout()
        return _READER_GONE
    line = given.resuming(secrets.scrub) if given.can_resume else None
    with suppress(OSError):
        text = f"Interrupted.{f' Go on with: {line}' if line else ''}"
        say(text if are_for_machines() else _after_key() + text, level=logging.WARNING, step="interrupted")
        if given.output == "json":
            click.echo(json.dumps({"error": {"type": "Interrupted", "message": "Interrupted", "hint": line}}))
    return _TERMINATED if _came_from_sigterm(error) else _INTERRUPTED


def _after_key() -> str:
    """Ends the line on which a terminal has shown ^C."""
    return "\n" if sys.stderr.isatty() else ""


def _came_from_sigterm(error: BaseException | None) -> bool:
    """Whoever recorded the interrupt may have raised another one in its place."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, Terminated):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _failed(given: Arguments, secrets: Secrets, error: Exception) -> int:
    failure = explain(error, secrets.scrub)
    is_told = given.verbose and failure.exit_code != 2
    if are_for_machines():
        told = step("failed", type=failure.type, hint=failure.hint, exit_code=failure.exit_code)
        logger.error("%s", failure.message, extra=told, exc_info=error if is_told else None)
    elif is_told:
        click.echo(secrets.scrub("".join(traceback.format_exception(error)).rstrip()), err=True)
    try:
        if given.output == "json" or not are_for_machines():
            output_for(given.output).failed(failure)
        sys.stdout.flush()
    except OSError:  # a full disk or a closed pipe is what may have failed in the first place
        close_stdout()
    return failure.exit_code


def _color() -> bool | None:
    """Whether click may colour: None leaves it to whether the stream is a terminal."""
    return False if os.environ.get("NO_COLOR") else None
