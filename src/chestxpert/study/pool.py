"""Independent parts of a comparison, worked on side by side in processes of their own.

`Pool.each` stands in for `chestxpert.evaluation.each.one_by_one`, with the same results in the same order. NumPy's
calls are too short here for threads to gain much: they wait for the interpreter's lock most of the time.
"""

from __future__ import annotations

import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from chestxpert.errors import ChestXpertError, RunError
from chestxpert.evaluation.each import Each, P, R, S, one_by_one
from chestxpert.processes import DiedError, Process, available_cores, main_of, tasks_from_parent

MOST = 8
"""Processes at most, where nobody says how many: each holds a cohort and its draws, some 0.4 GB."""

WORTH_IT = 200e6
"""Runs times test images times draws for each process from which on starting one costs less than it saves: some 8 s."""

_PROGRAM = main_of("chestxpert.study.pool")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_PATIENCE = 0.2  # seconds without a result after which an interrupt can be heard


def useful_processes(runs: int, images: int, draws: int) -> int:
    """How many processes share the comparison of so many runs on so many test images in so many draws."""
    return max(1, min(available_cores(), MOST, int(runs * images * draws / WORTH_IT)))


@dataclass(frozen=True)
class _Shared:
    """What the parts that follow share."""

    value: Any


@dataclass(frozen=True)
class _Failed:
    """In place of a result."""

    error: Exception


class Pool:
    """Processes, each looked after by a thread; a context, and they end with it.

    Parameters
    ----------
    workers : int
        How many. They are started when there is something to do.
    """

    def __init__(self, workers: int) -> None:
        self._threads = ThreadPoolExecutor(workers)
        self._mine = threading.local()  # a thread's process, and what that was last told to share
        self._lock = threading.Lock()
        self._processes: list[Process] = []
        self._stopped = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.end()

    def each(self, function: Callable[[S, P], R], shared: S, parts: Iterable[P]) -> Iterator[R]:
        """Results of ``function(shared, part)`` in the order of the parts, which are begun at once.

        Raises
        ------
        ChestXpertError
            What a part failed with.
        RunError
            If a process died.
        """
        return _in_order(deque(self._threads.submit(self._work, function, shared, part) for part in parts))

    def _work(self, function: Callable[[S, P], R], shared: S, part: P) -> R:
        process = self._process()
        if self._mine.shared is not shared:
            process.send(_Shared(shared))
            self._mine.shared = shared
        process.send((function, part))
        try:
            answer = process.receive()
        except DiedError:
            process.wait(5)  # its pipes close before its status is known
            raise RunError(f"A process that compares runs {_how(process.end())}") from None
        if isinstance(answer, _Failed):
            raise answer.error
        result: R = answer
        return result

    def _process(self) -> Process:
        if not hasattr(self._mine, "process"):
            with self._lock:
                process = Process(_PROGRAM, _ONE_THREAD)
                self._processes.append(process)
                if self._stopped:
                    process.kill()
            self._mine.process, self._mine.shared = process, _Shared  # shared by nobody yet
        started: Process = self._mine.process
        return started


@contextmanager
def shared_out(workers: int) -> Iterator[Each]:
    """The way in which a comparison's parts are done: by so many processes, or in this one if it is one.

    Here as there linear algebra takes one thread, since the last digit of a long sum depends on their number.
    """
    if workers == 1:
        with threadpool_limits(1, user_api="blas"):
            yield one_by_one
        return
    with Pool(workers) as pool:
        yield pool.each


def _in_order(waiting: deque[Future[R]]) -> Iterator[R]:
    while waiting:
        first = waiting.popleft()
        while not wait([first], timeout=_PATIENCE).done:
            pass
        yield first.result()
        del first  # a result is kept by whoever asked for it alone


def _how(status: int) -> str:
    """How a process ended, from its exit status, and what to do."""
    if status >= 0:
        return f"ended with status {status}; what it printed stands above."
    short = " Where memory is short, try again with '--workers 1'." if status == -signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-status).name}.{short}"


def main() -> None:
    """Work on what is asked for until whoever started this process ends."""
    tasks, answers = tasks_from_parent()
    shared = None
    for task in tasks:
        if isinstance(task, _Shared):
            shared = task.value
        else:
            answers.send(_answer(shared, *task))


def _answer(shared: Any, function: Callable[[Any, Any], Any], part: Any) -> Any:
    try:
        return function(shared, part)
    except ChestXpertError as error:
        return _Failed(error)
    except Exception as error:  # not every exception can be pickled, and where it was raised is gone on the way
        return _Failed(RuntimeError("".join(traceback.format_exception(error))))
