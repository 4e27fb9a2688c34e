"""Readers of a status page, as a process: `python -m benchmarks.readers PORT READERS TABLES`.

All of them ask at once, as pages do that are looked at: half of them look at the lake, and some at a part of the list,
which are fetched anew every three seconds; the others look at a table, and go on to another one every fifteen seconds.
Ends when its standard input does, and prints what it saw as JSON.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from statistics import median

EVERY_SECONDS = 3.0
_TURNS_AT_A_TABLE = 5


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
    begun = time.monotonic()
    for turn in range(0, 1_000_000, 1 if _looks_at_lists(number) else _TURNS_AT_A_TABLE):
        if stop.wait(max(0.0, begun + turn * EVERY_SECONDS - time.monotonic())):
            return
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        asked = time.perf_counter()
        connection.request("GET", _page(number, turn, tables))
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - asked)
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"the page answered {answer.status}")


def _looks_at_lists(number: int) -> bool:
    return number % 2 == 1 or number % 8 == 0


def _page(number: int, turn: int, tables: int) -> str:
    place = number * 7919 + turn // _TURNS_AT_A_TABLE * 104_729
    if number % 2:
        return "/"
    return (
        f"/?sort=size&page={place % (tables // 50 + 1)}"
        if _looks_at_lists(number)
        else f"/table?id=table-{place % tables}"
    )


if __name__ == "__main__":
    main()
