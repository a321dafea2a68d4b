"""Decode many images on all cores, into the rows of one file."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from chestxpert.errors import DataError, StoreError
from chestxpert.pixels.decode import decode
from chestxpert.pixels.preprocess import Preprocess

Progress = Callable[[int, int], None]
"""Called as progress(done, total) from the building process."""

_CHUNK = 16  # images a task: some 0.2 s of work, so that an interrupt is heard and the bar moves
_POOL_FROM = 200  # fewer images are decoded sooner here than processes start


@dataclass(frozen=True)
class _Task:
    """Images that one worker decodes into consecutive rows of the pixel file, from row `first` on."""

    pixels: Path
    first: int
    files: tuple[Path, ...]
    preprocess: Preprocess


@dataclass(frozen=True)
class _Outcome:
    """Width and height of every image of a task as decoded, or why it could not be."""

    first: int
    results: tuple[tuple[int, int] | str, ...]


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def decode_into(
    pixels: Path,
    files: Sequence[Path],
    preprocess: Preprocess,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[tuple[int, int] | str]:
    """Decode images into the rows of an existing pixel file.

    With more than one worker, processes are started afresh rather than forked, so a script that calls this (or
    `chestxpert.prepare`) keeps its own start behind ``if __name__ == "__main__":``.

    Parameters
    ----------
    pixels : Path
        File of ``len(files) * size * size`` bytes; row i receives image i.
    files : sequence of Path
        Images, in the order of the rows.
    preprocess : Preprocess
        What is done to each.
    workers : int, optional
        Processes; all cores if None. Few images are decoded without any.
    progress : callable, optional
        See `Progress`.

    Returns
    -------
    list
        For every image its width and height as decoded, or a text that says why it could not be; that row then
        stays as it was.

    Raises
    ------
    StoreError
        If a worker dies or the pixel file cannot be written.
    """
    tasks = [
        _Task(pixels, first, tuple(files[first : first + _CHUNK]), preprocess) for first in range(0, len(files), _CHUNK)
    ]
    workers = min(workers or available_cores(), len(tasks))
    alone = workers <= 1 or len(files) < _POOL_FROM
    results: list[tuple[int, int] | str] = [""] * len(files)
    done = 0
    try:
        with closing(_in_turn(tasks) if alone else _in_pool(tasks, workers)) as outcomes:
            for outcome in outcomes:
                results[outcome.first : outcome.first + len(outcome.results)] = outcome.results
                done += len(outcome.results)
                if progress is not None:
                    progress(done, len(files))
    except BrokenProcessPool as error:
        raise StoreError(
            "A process that decoded images died, perhaps for want of memory. Try fewer ('--workers 1'); a script of "
            'your own must start behind if __name__ == "__main__":.'
        ) from error
    except OSError as error:
        raise StoreError(f"The decoded images cannot be written to {pixels.parent}: {error}.") from error
    return results


def _in_turn(tasks: Sequence[_Task]) -> Generator[_Outcome, None, None]:
    yield from map(_run, tasks)


def _in_pool(tasks: Sequence[_Task], workers: int) -> Generator[_Outcome, None, None]:
    """Outcomes of all tasks as they come; on any error, Ctrl-C included, what has not begun is dropped."""
    way = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(way), initializer=_start_worker)
    waiting = iter(tasks)
    pending: set[Future[_Outcome]] = set()
    try:
        pending |= {pool.submit(_run, task) for _, task in zip(range(4 * workers), waiting, strict=False)}
        while pending:
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            pending |= {pool.submit(_run, task) for _, task in zip(finished, waiting, strict=False)}
            yield from (future.result() for future in finished)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when the parent has died, even by kill -9."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _run(task: _Task) -> _Outcome:
    """Decode one task's images and write each to its row.

    Written with write, not through a memory map: on a full disk that is an error, not a signal that kills.
    """
    size = task.preprocess.size
    results: list[tuple[int, int] | str] = []
    with task.pixels.open("r+b") as out:
        for row, file in enumerate(task.files, start=task.first):
            try:
                image = decode(file)
            except DataError as error:
                results.append(str(error))
                continue
            out.seek(row * size * size)
            out.write(task.preprocess.apply(image).tobytes())
            results.append((image.shape[1], image.shape[0]))
    return _Outcome(task.first, tuple(results))
