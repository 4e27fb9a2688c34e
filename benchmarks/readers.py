"""Readers of a status page, as a process: `python -m benchmarks.readers PORT READERS TABLES`.

All of them ask at once, every three seconds, as pages do that are looked at. Half of them look at the lake, the others
at a part of the list or at a table, and go on to another one every fifteen seconds. Ends when its standard input does,
and prints what it saw as JSON.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from statistics import median

EVERY_SECONDS = 3.0


def main() -> None:
    """Asks until it is told to stop."""
    port, readers, tables = map(int, sys.argv[1:])
    stop, seconds = threading.Event(), [list[float]() for _ in range(readers)]
    threads = [
        threading.Thread(target=_read, args=(port, number, tables, stop, seconds[number])) for number in range(readers)
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    found = sorted(one for of_reader in seconds for one in of_reader)
    told = {"requests": len(found), "median": median(found), "p95": found[len(found) * 95 // 100], "max": found[-1]}
    print(json.dumps(told))


def _read(port: int, number: int, tables: int, stop: threading.Event, seconds: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    begun = time.monotonic()
    for turn in range(1_000_000):
        asked = time.perf_counter()
        connection.request("GET", _page(number, turn, tables))
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - asked)
        if answer.status != 200:
            raise SystemExit(f"the page answered {answer.status}")
        if stop.wait(max(0.0, begun + (turn + 1) * EVERY_SECONDS - time.monotonic())):
            return


def _page(number: int, turn: int, tables: int) -> str:
    place = number * 7919 + turn // 5 * 104_729
    if number % 2:
        return "/"
    return f"/?sort=size&page={place % (tables // 50 + 1)}" if number % 8 == 0 else f"/table?id=table-{place % tables}"


if __name__ == "__main__":
    main()
