"""Several jobs at once in threads that can be left behind: what they have to tell goes to the thread that waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Result = TypeVar("Result")

_LOOK_UP = 0.5
"""Seconds after which a waiting thread looks up, so that Ctrl-C is noticed on every system."""
_FAREWELL = 1.0
"""Seconds given to all threads to notice that they shall end; one that hangs in a read notices before it writes."""


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """Whoever waits for this job does so no longer."""


class Line:
    """What a job has of the outside: to whom it tells its progress, and whether it shall end."""

    def __init__(self, tell: Callable[[int | str], None], stop: threading.Event) -> None:
        self._tell, self.stop = tell, stop

    def done(self, count: int) -> None:
        """Tell of work done since the last call; less than nothing takes work back."""
        self._tell(count)

    def note(self, text: str) -> None:
        """Tell one line that is worth knowing."""
        self._tell(text)

    def go_on_or_stop(self) -> None:
        """Raise Stopped if the job shall end."""
        if self.stop.is_set():
            raise Stopped


class _Ended(Generic[Result]):
    """A job has ended: its number, and what it gave or what went wrong."""

    def __init__(self, number: int, result: Result | None, error: BaseException | None) -> None:
        self.number, self.result, self.error = number, result, error


def at_once(
    jobs: Sequence[Callable[[Line], Result]], workers: int, done: Callable[[int], None], note: Callable[[str], None]
) -> list[Result]:
    """Run all jobs, at most `workers` at once, begun in their order; returns their results in the same order.

    `done` and `note` are called in this thread alone. If a job fails, or this thread is interrupted, the others are
    told to stop, and the failure is raised.
    """
    told: SimpleQueue[int | str | _Ended[Result]] = SimpleQueue()
    results: dict[int, Result] = {}
    with _threads(jobs, workers, told):
        while len(results) < len(jobs):
            try:
                item = told.get(timeout=_LOOK_UP)
            except Empty:
                continue
            if isinstance(item, int):
                done(item)
            elif isinstance(item, str):
                note(item)
            elif item.error is not None:
                raise item.error
            else:
                results[item.number] = item.result  # type: ignore[assignment]  # no error, so there is a result
    return [results[number] for number in range(len(jobs))]


@contextmanager
def _threads(
    jobs: Sequence[Callable[[Line], Result]], workers: int, told: SimpleQueue[int | str | _Ended[Result]]
) -> Iterator[None]:
    """Context in which threads take one job after the other."""
    todo: SimpleQueue[int] = SimpleQueue()
    for number in range(len(jobs)):
        todo.put(number)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                number = todo.get_nowait()
            except Empty:
                return
            try:
                told.put(_Ended(number, jobs[number](Line(told.put, stop)), None))
            except BaseException as error:
                told.put(_Ended(number, None, error))
                stop.set()  # here, so that this thread does not begin another job before the waiting one has heard

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        until = time.monotonic() + _FAREWELL
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
