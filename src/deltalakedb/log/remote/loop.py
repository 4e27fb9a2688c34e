"""Where requests to object stores run: an event loop in a thread of its own.

The thread that asks only waits, so that Ctrl-C ends the wait at once, whatever the network does.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def start(request: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
    """Starts what `request` returns, and returns where its result will be."""
    return asyncio.run_coroutine_threadsafe(request(), _loop())


def run(request: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs what `request` returns to its end, unless this thread is interrupted."""
    future = start(request)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    # A daemon: a request that hangs must not keep the process from ending.
    threading.Thread(target=loop.run_forever, name="deltalakedb-requests", daemon=True).start()
    return loop


os.register_at_fork(after_in_child=_loop.cache_clear)  # the thread is not there in a forked child
