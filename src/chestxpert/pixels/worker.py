"""A process that decodes: tasks come in on stdin, outcomes go out on stdout."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from chestxpert.errors import DataError
from chestxpert.pixels.bodies import Body, fetch
from chestxpert.pixels.outcomes import Outcome, Picture, Refused
from chestxpert.pixels.png_stored import as_stored
from chestxpert.pixels.preprocess import Preprocess

if sys.platform != "win32":
    import fcntl

Task = Sequence[tuple[int, Body]]
"""Rows and images."""


class Decoder:
    """Decodes images into the rows of a pixel file.

    Written with write, not through a memory map: on a full disk that is an error, not a signal that kills. The file is
    locked, shared: whoever takes over from a run that was killed waits for the lock, and so for its last workers.
    """

    def __init__(self, pixels: Path, preprocess: Preprocess) -> None:
        self._file = pixels.open("r+b", buffering=0)
        self._preprocess = preprocess
        if sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_SH)

    def run(self, task: Task) -> list[Outcome]:
        """Decode a task's images, one outcome each; OSError if a row cannot be written."""
        return [self._one(row, body) for row, body in task]

    def _one(self, row: int, body: Body) -> Outcome:
        try:
            image = self._preprocess.read(as_stored(fetch(body)))
        except DataError as error:
            return Refused(str(error))
        pixels = self._preprocess.apply(image.pixels)
        self._file.seek(row * pixels.nbytes)
        written = self._file.write(pixels.tobytes())
        if written != pixels.nbytes:
            raise OSError(f"only {written} of {pixels.nbytes} bytes of a row could be written: the disk is full")
        height, width = image.pixels.shape
        return Picture(width, height, image.bits, image.mode, image.format)

    def close(self) -> None:
        """Close the pixel file."""
        self._file.close()


def wait_for_workers(pixels: Path) -> None:
    """Wait until no process of a run that was killed can write to a pixel file any more."""
    if sys.platform != "win32":
        with pixels.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)


def main() -> None:
    """Answer tasks until stdin ends, as it does when whoever started this process ends, even by kill -9."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come among the answers
    decoder = Decoder(*pickle.load(source))
    _answer(answers, None)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(source, tasks), daemon=True).start()
    while True:
        try:
            _answer(answers, decoder.run(tasks.get()))
        except OSError as error:
            _answer(answers, str(error))


def _receive(source: IO[bytes], tasks: queue.SimpleQueue[Task]) -> None:
    """Read the next task while one is decoded."""
    with contextlib.suppress(Exception):
        while True:
            tasks.put(pickle.load(source))
    os._exit(0)


def _answer(answers: IO[bytes], answer: object) -> None:
    pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
    answers.flush()
