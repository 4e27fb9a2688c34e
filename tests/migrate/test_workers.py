"""Jobs in processes of their own: what a worker does when its parent goes."""

import logging
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

from deltalakedb.migrate.workers import _serve


def tell_until_it_fails(noted: str, tell: Callable[[str], None]) -> None:
    try:
        while True:
            tell("still here")
            time.sleep(0.01)
    except BaseException as error:
        Path(noted).write_text(type(error).__name__)
        raise


def test_a_worker_that_can_not_tell_its_parent_was_interrupted(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, tell_until_it_fails, logging.WARNING))
    process.start()
    theirs.close()
    ours.send(str(tmp_path / "noted"))
    assert ours.recv() == ("progress", "still here")
    ours.close()
    process.join(30)
    assert process.exitcode == 0
    assert (tmp_path / "noted").read_text() == "KeyboardInterrupt"
