"""Processes that decode what a queue holds, each image once; one that dies takes no other image with it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from chestxpert.errors import StoreError
from chestxpert.pixels.outcomes import Outcome, Refused
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.process import DiedError, Process
from chestxpert.pixels.waiting import Item, Queue
from chestxpert.pixels.worker import Decoder

Progress = Callable[[int, int], None]
"""Called as progress(done, total) from the building process; the total is an estimate where archives are read."""

Done = tuple[Sequence[Item], Sequence[Outcome]]

_TASK_IMAGES, _TASK_BYTES = 16, 8 << 20  # a task: some 0.1 s of work, so that an interrupt is heard and the bar moves
_AHEAD = 2  # tasks a process has: it reads one while it decodes the other
_MOST_DEATHS = 20
_PATIENCE = 0.2  # seconds without an outcome after which an interrupt can be heard


def decode_here(waiting: Queue, pixels: Path, preprocess: Preprocess) -> Generator[Done, None, None]:
    """Decode what a queue holds in this process: few images are decoded sooner than a process starts.

    Raises
    ------
    StoreError
        If the pixel file cannot be written.
    """
    decoder = Decoder(pixels, preprocess)
    try:
        while not waiting.ended:
            items = waiting.take(_TASK_IMAGES, _TASK_BYTES, wait=_PATIENCE)
            yield items, decoder.run(_task(items))
    except OSError as error:
        raise _cannot_write(pixels, error) from error
    finally:
        decoder.close()


def decode_in_processes(
    waiting: Queue, pixels: Path, preprocess: Preprocess, workers: int
) -> Generator[Done, None, None]:
    """Decode what a queue holds in processes of their own.

    They are plain subprocesses that are told what to do through a pipe: a script that calls this needs no guard, and
    they end when this process does, even by kill -9.

    Parameters
    ----------
    waiting : Queue
    pixels : Path
        File that receives the rows.
    preprocess : Preprocess
    workers : int
        Processes.

    Yields
    ------
    items, outcomes
        As they come; now and then none, so that whoever asked can look around. An image over which a process died is
        refused; the others of its task are decoded again.

    Raises
    ------
    StoreError
        If processes cannot start or die again and again, or the pixel file cannot be written.
    """
    crew = _Crew(waiting, pixels, preprocess)
    threads = [threading.Thread(target=crew.work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    left = workers
    try:
        while left:
            try:
                done = crew.done.get(timeout=_PATIENCE)
            except queue.Empty:
                done = [], []
            if isinstance(done, Exception):
                raise done
            if done is None:
                left -= 1
            else:
                yield done
    finally:
        crew.stop()
        for thread in threads:
            thread.join()
        crew.end()


def _cannot_write(pixels: Path, reason: object) -> StoreError:
    return StoreError(f"The decoded images cannot be written to {pixels.parent}: {reason}.")


class _Crew:
    """What the threads share, each of which looks after one process."""

    def __init__(self, waiting: Queue, pixels: Path, preprocess: Preprocess) -> None:
        self._waiting, self._pixels, self._preprocess = waiting, pixels, preprocess
        self.done: queue.SimpleQueue[Done | Exception | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._processes: set[Process] = set()
        self._stopped = False
        self._deaths = 0

    def work(self) -> None:
        """Start a process, have it decode until the queue ends, and say so."""
        try:
            self._look_after(deque())
        except DiedError:
            self.done.put(None if self._stopped else StoreError("A process that decodes images cannot be started."))
        except Exception as error:
            self.done.put(error)
        else:
            self.done.put(None)

    def stop(self) -> None:
        """End all processes."""
        self._waiting.stop()
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()

    def end(self) -> None:
        """Collect what is left of the processes; no thread is at work any more."""
        for process in self._processes:
            process.end()

    def _look_after(self, sent: deque[list[Item]]) -> None:
        process = self._start()
        try:
            while True:
                while len(sent) < _AHEAD and (
                    items := self._waiting.take(_TASK_IMAGES, _TASK_BYTES, wait=0 if sent else None)
                ):
                    sent.append(items)
                    process.send(_task(items))
                if not sent:
                    return
                try:
                    outcomes = self._outcomes(process)
                except DiedError:
                    self._end(process)
                    process = self._one_by_one(sent.popleft())
                    for items in sent:
                        process.send(_task(items))
                else:
                    self.done.put((sent.popleft(), outcomes))
        finally:
            self._end(process)

    def _one_by_one(self, items: Sequence[Item]) -> Process:
        """Decode the images of a task over which a process died; returns the process that goes on."""
        process = self._start()
        for item in items:
            process.send(_task([item]))
            try:
                outcomes = self._outcomes(process)
            except DiedError:
                self._end(process)
                self._count_death()
                outcomes = [Refused("a process died while decoding it", certain=False)]
                process = self._start()
            self.done.put(([item], outcomes))
        return process

    def _count_death(self) -> None:
        with self._lock:
            self._deaths += 1
        if self._deaths > _MOST_DEATHS:
            raise StoreError(
                f"Processes that decode images died over {self._deaths} of them, perhaps for want of memory. Try fewer "
                "('--workers 1')."
            )

    def _outcomes(self, process: Process) -> list[Outcome]:
        answer = process.receive()
        if isinstance(answer, str):
            raise _cannot_write(self._pixels, answer)
        return list(answer)

    def _start(self) -> Process:
        process = Process(self._pixels, self._preprocess)
        with self._lock:
            self._processes.add(process)
            if self._stopped:
                process.kill()
        try:
            process.receive()
        except DiedError:
            self._end(process)
            raise
        return process

    def _end(self, process: Process) -> None:
        with self._lock:
            self._processes.discard(process)
        process.end()


def _task(items: Sequence[Item]) -> list[tuple[int, Any]]:
    return [(item.row, item.body) for item in items]
