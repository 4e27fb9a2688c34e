"""`deltalakedb serve`."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import click

from .. import options
from ..arguments import TOKEN_VARIABLE
from ..help import WithExamples
from ..run import Run


@click.command(
    "serve",
    cls=WithExamples,
    examples=[
        "deltalakedb serve",
        "deltalakedb serve --host 0.0.0.0 --token-file /run/secrets/token",
    ],
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8087, show_default=True, help="0 takes a free one.")
@click.option(
    "--token-file",
    type=options.FilePath(),
    metavar="FILE",
    help=f"Holds the token that is asked for; needed beyond loopback, unless it is in ${TOKEN_VARIABLE}.",
)
@options.storage
@options.common
def command(run: Run, host: str, port: int, token_file: Path | None) -> None:
    """Show the lake on a web page.

    Also gives metrics to Prometheus. Read-only: a role that may only read is enough. Browsers send the token as a
    password, under any user name; programs as `Authorization: Bearer`. Needs the extra `web`.
    """
    try:
        import uvicorn

        from ...web.app import Manner, make_app
        from ...web.guard import is_loopback
    except ImportError as error:
        from ...errors import ArgumentError

        raise ArgumentError(f"{error.name} is not installed", "pip install 'deltalakedb[web]'") from error

    token = _token(token_file)
    if token is None and not is_loopback(host):
        raise click.UsageError(
            f"Beyond loopback a token is needed: give --token-file or set ${TOKEN_VARIABLE}.",
            click.get_current_context(),
        )
    with run.database(to_read=True) as database:
        manner = Manner(token=token, storage_options=run.storage_options, scrub=run.secrets.scrub)
        config = uvicorn.Config(
            make_app(database, manner), host=host, port=port, log_config=None, access_log=False, server_header=False
        )
        with _listening(host, port) as listening:  # whoever reads the line below may ask at once
            address = f"[{host}]" if ":" in host else host
            run.note(f"http://{address}:{listening.getsockname()[1]}/ shows {run.where(database)}; Ctrl-C ends it.")
            with suppress(KeyboardInterrupt):  # uvicorn has ended what it was doing, and passes the signal on
                uvicorn.Server(config).run(sockets=[listening])
    run.note("Stopped.")


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        from ...errors import DeltaLakeDBError

        reason = error.strerror or str(error)
        raise DeltaLakeDBError(
            f"Can't listen at {host}, port {port}: {reason}", "Give another --port or --host."
        ) from error


def _token(file: Path | None) -> str | None:
    text = file.read_text(encoding="utf-8") if file is not None else os.environ.get(TOKEN_VARIABLE, "")
    token = text.strip()
    if file is not None and not token:
        raise click.UsageError(f"{file} is empty.", click.get_current_context())
    return token or None
