"""What tests of outages share."""

from collections.abc import Callable

import pytest

from deltalakedb.migrate import retrying
from deltalakedb.migrate.told import Progress


class At:
    """A listener that does something when so many transactions have been loaded."""

    def __init__(self, transactions: int, action: Callable[[], object]) -> None:
        self.left = transactions
        self.action = action
        self.heard = 0

    def __call__(self, _progress: Progress) -> None:
        self.heard += 1
        if self.heard == self.left:
            self.action()


def retries(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of attempts that follow."""
    return [record.getMessage() for record in caplog.records if record.name == retrying.__name__]
