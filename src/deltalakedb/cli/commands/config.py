"""`deltalakedb config`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from .. import options
from ..help import WithExamples
from ..run import Run
from ..settings import DEFAULT, Setting

_NAMES = ("read_url", "schema", "pool_size", "connect_timeout", "statement_timeout", "batch_size", "parallel")


@click.command(
    "config",
    cls=WithExamples,
    examples=[
        "deltalakedb config",
        "deltalakedb config --schema lake --output json",
    ],
)
@options.batch_size
@options.parallel
@options.storage
@options.common
def command(run: Run, batch_size: int | None, parallel: int | None) -> None:  # noqa: ARG001 (in the settings)
    """Show which settings hold, and where each comes from.

    The command line wins over the environment, and that over a file: deltalakedb.toml, or [tool.deltalakedb] in
    pyproject.toml, in the working folder or the nearest one above. Passwords and keys are masked.
    """
    run.output.configured(run.settings.path, list(_settings(run)))


def _settings(run: Run) -> Iterator[Setting]:
    from ...catalog.database import DEFAULT_URL
    from ...catalog.options import POOL_SIZE
    from ...log.remote.options import is_secret

    defaults = {"database-url": DEFAULT_URL, "pool-size": POOL_SIZE, "parallel": 1}
    for setting in (run.settings.database_url(), *map(run.settings.of, _NAMES)):
        value = defaults.get(setting.name) if setting.source == DEFAULT else setting.value
        yield Setting(setting.name, run.secrets.scrub_name(value) if isinstance(value, str) else value, setting.source)
    for name, setting in run.settings.storage_options().items():
        value = "***" if is_secret(name) else run.secrets.scrub_name(setting.value)
        yield Setting(f"storage-options.{name}", value, setting.source)
