"""Runs trained side by side, a process each, with the same bytes as one after the other.

A head on cached features is trained in one thread (a step takes milliseconds, and threads would wait for each other),
so several cores are of use to several runs alone. What a run draws follows from its seed, network and epoch, and its
arithmetic from the number of threads, which is one here and there: so neither the number of processes nor the order in
which they finish changes a bit of what a run stores, but for its times.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from chestxpert.errors import RunError
from chestxpert.processes import DiedError, Process, available_cores, main_of
from chestxpert.progress import Progress, Tick
from chestxpert.study.worker import Ended, Training

MOST = 8
"""Processes at most, where nobody says how many: each holds a backbone of its own."""

WORTH_IT = 3
"""Runs for each process from which on starting one costs less than it saves."""

_PROGRAM = main_of("chestxpert.study.worker")
_PATIENCE = 0.2  # seconds without a run after which an interrupt can be heard


def useful_workers(runs: int) -> int:
    """How many processes so many runs of heads are shared by if nobody says."""
    return max(1, min(available_cores(), MOST, runs // WORTH_IT))


def train_side_by_side(
    trainings: Sequence[Training], dataset: Path, workers: int, progress: Progress, tick: Tick
) -> None:
    """Train runs in processes of their own, begun in the order given.

    Parameters
    ----------
    trainings : sequence of Training
        Whose features are cached already.
    dataset : Path
    workers : int
        Processes.
    progress, tick : what is worth telling; one tick a run

    Raises
    ------
    ChestXpertError
        What a run failed with. The runs beside it are stopped where they are and can be resumed.
    RunError
        If a process died.
    """
    crew = _Crew(trainings, dataset)
    threads = [threading.Thread(target=crew.work, daemon=True) for _ in range(min(workers, len(trainings)))]
    for thread in threads:
        thread.start()
    try:
        for _ in trainings:
            ended = crew.next_ended()
            for note in ended.notes:
                progress.note(note)
            if ended.error is not None:
                raise ended.error
            tick(1)
    finally:
        crew.stop()
        for thread in threads:
            thread.join()


class _Crew:
    """What the threads share, each of which looks after one process."""

    def __init__(self, trainings: Sequence[Training], dataset: Path) -> None:
        self._waiting, self._dataset = deque(trainings), dataset
        self._ended: queue.SimpleQueue[Ended | Exception] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._processes: list[Process] = []
        self._stopped = False

    def next_ended(self) -> Ended:
        """How the next run ended, once one has."""
        while True:
            try:
                ended = self._ended.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            if isinstance(ended, Exception):
                raise ended
            return ended

    def stop(self) -> None:
        """End all processes."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()

    def work(self) -> None:
        """Have one process train run after run until none is left."""
        try:
            process = self._start()
            try:
                while (training := self._next()) is not None:
                    self._ended.put(_trained(process, training))
            finally:
                process.end()
        except Exception as error:
            self._ended.put(error)

    def _start(self) -> Process:
        with self._lock:
            process = Process(_PROGRAM)
            self._processes.append(process)
            if self._stopped:
                process.kill()
        process.send(self._dataset)
        return process

    def _next(self) -> Training | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting and not self._stopped else None


def _trained(process: Process, training: Training) -> Ended:
    process.send(training)
    try:
        ended: Ended = process.receive()
    except DiedError:
        process.wait(5)  # its pipes close before its status is known
        raise RunError(
            f"The process that trained '{training.recipe.name}' seed {training.seed} {_how(process.end())}. Runs that "
            "are complete are kept: go on with the same command and --resume; where memory is short, add '--workers 1'."
        ) from None
    return ended


def _how(status: int) -> str:
    """How a process ended, from its exit status."""
    if status >= 0:
        return f"ended with status {status}; what it printed stands above"
    return f"was killed by {signal.Signals(-status).name}" + (", perhaps for want of memory" if status == -9 else "")
