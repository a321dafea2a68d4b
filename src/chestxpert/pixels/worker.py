"""A process that decodes: tasks come in on stdin, outcomes go out on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from chestxpert.errors import DataError
from chestxpert.pixels.bodies import Body, fetch
from chestxpert.pixels.outcomes import Outcome, Picture, Refused
from chestxpert.pixels.png_stored import as_stored
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.processes import tasks_from_parent

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
    """Answer tasks until whoever started this process ends."""
    tasks, answers = tasks_from_parent()
    decoder = Decoder(*next(tasks))
    answers.send(None)
    for task in tasks:
        try:
            answers.send(decoder.run(task))
        except OSError as error:
            answers.send(str(error))
