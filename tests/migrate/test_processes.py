"""Answers of a process, fetched before they are asked for: all, in order, and no more than there is room for."""

import itertools
import threading
import time

import pytest

from deltalakedb.migrate import processes


@pytest.mark.parametrize("count", [0, 1, processes._ANSWERS_KEPT, 1000])
def test_answers_come_whole_and_in_order(count: int):
    assert list(processes.early(range(count))) == list(range(count))


def test_an_error_comes_after_what_was_answered_before():
    def answers():
        yield from range(100)
        raise processes.SilentEnd("exit code 9")

    taken = processes.early(answers())
    assert list(itertools.islice(taken, 100)) == list(range(100))
    with pytest.raises(processes.SilentEnd, match="exit code 9"):
        next(taken)


def test_who_waits_is_waited_for():
    asked = 0

    def answer():
        nonlocal asked
        asked += 1
        return asked

    taken = processes.early(iter(answer, None))
    assert [next(taken), next(taken)] == [1, 2]
    deadline = time.monotonic() + 30
    while asked < processes._ANSWERS_KEPT and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)  # to go too far in
    assert processes._ANSWERS_KEPT <= asked <= processes._ANSWERS_KEPT + 2
    taken.close()
    _ended()


def test_who_closes_before_the_first_answer_leaves_no_thread():
    for taken in (0, 1):
        answers = processes.early(itertools.count())
        for _ in range(taken):
            next(answers)
        answers.close()
    _ended()


def _ended() -> None:
    """Waits until no thread fetches any more."""
    deadline = time.monotonic() + 30
    while any(thread.name == processes.FETCHER for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a thread is left"
        time.sleep(0.01)
