"""What a database takes for the rows of a log's files alone: `python -m benchmarks.load_alone LOCATION URL`.

The log is read and its rows are packed beforehand, and only loading them into an empty catalog is timed, in the
transactions of an import. No import can take less time on the same database, whatever it overlaps.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing

from deltalakedb.catalog.database import Database
from deltalakedb.catalog.loading import packing_for
from deltalakedb.catalog.schema import delta_files
from deltalakedb.log.reader import open_log, plan
from deltalakedb.log.store import open_store
from deltalakedb.migrate.feed import Source, feed
from deltalakedb.migrate.importer import MOST_AT_ONCE

from .bench import TABLE


def main() -> None:
    """Reads, then loads, then tells the seconds."""
    location, url = sys.argv[1:]
    log = open_log(open_store(location))
    with closing(Database(url)) as database:
        dialect = database.dialect
        source = Source(log, plan(log), TABLE, packing_for(dialect), MOST_AT_ONCE, 0)
        pieces = [batch.packed["files"] for batch in feed(source) if "files" in batch.packed]
        together = dialect.large_batch // MOST_AT_ONCE
        with database.writing() as connection:
            begun = time.perf_counter()
            for first in range(0, len(pieces), together):
                is_last = first + together >= len(pieces)
                if is_last:
                    dialect.harden(connection)
                with connection.begin():
                    if not is_last:
                        dialect.relax(connection)
                    dialect.load(connection, delta_files, pieces[first : first + together])
            print(json.dumps({"seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
